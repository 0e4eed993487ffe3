#include "learning/training/run_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/temporary_folder.h"
#include "learning/settings/classifier_settings.h"
#include "learning/settings/train_settings.h"

namespace trivium::learning {
namespace {

Json record_of(TrainSettings settings) { return run_record(settings, "start", "data"); }

TEST(RunRecordTest, HoldsWhatDecidesTheWeights) {
  TrainSettings settings;
  const Json before = record_of(settings);
  EXPECT_EQ(before.at("settings").at("train.seed"), 42);
  const auto is_same = [&] { return record_of(settings) == before; };
  settings.run.output = "elsewhere";
  settings.run.log_every = settings.run.eval_every = settings.run.save_every = 7;
  settings.optimiser.threads = 3;
  settings.init = settings.gym = settings.prompts = "moved";
  EXPECT_TRUE(is_same());
  settings.optimiser.steps += 1;
  EXPECT_FALSE(is_same());
  settings.optimiser.steps -= 1;
  settings.second_stage.steps = 5;
  EXPECT_FALSE(is_same());
  PretrainSettings pretrain;
  EXPECT_EQ(run_record(pretrain, "", "").at("settings").at("data.mask_ratio"), 0.3);
  ClassifierSettings classifier;
  EXPECT_EQ(run_record(classifier, "", "").at("settings").at("data.tasks").size(), 8u);
}

TEST(RunRecordTest, NamesEveryDifference) {
  TrainSettings settings;
  // As a snapshot gives it back.
  const Json kept = parse_json(to_json_line(record_of(settings)), "record");
  const auto refusal = [&](const Json& given, bool finished) {
    return error_of([&] { refuse_other_run(kept, given, "runs/x", finished); });
  };
  EXPECT_EQ(refusal(record_of(settings), true), "");
  settings.optimiser.learning_rate = 0.5;
  EXPECT_EQ(refusal(record_of(settings), false), "");
  EXPECT_THAT(refusal(record_of(settings), true), testing::StartsWith("73:"));
  settings.optimiser.seed = 1;
  settings.tasks = {"a"};
  const std::string error = refusal(record_of(settings), false);
  EXPECT_THAT(error, testing::HasSubstr("train.seed = 42 (1 is asked for)"));
  EXPECT_THAT(error, testing::HasSubstr("data.tasks = [] ([\"a\"] is asked for)"));
  EXPECT_THAT(refusal(run_record(settings = {}, "other", "data"), false),
              testing::HasSubstr("other weights to start from (model.init)"));
  EXPECT_THAT(refusal(run_record(settings, "start", "other"), false),
              testing::HasSubstr("other data"));
}

TEST(FingerprintTest, IsOfEveryPart) {
  EXPECT_NE(fingerprint_of(std::vector<std::string>{"ab", "c"}),
            fingerprint_of(std::vector<std::string>{"a", "bc"}));
  std::vector<EncodedExample> examples(2);
  examples[1].target = {1, 2};
  const std::string before = fingerprint_of(examples, {"a"});
  EXPECT_EQ(fingerprint_of(examples, {"a"}), before);
  EXPECT_NE(fingerprint_of(examples, {"b"}), before);
  examples[1].target[0] = 3;
  EXPECT_NE(fingerprint_of(examples, {"a"}), before);
  NamedTensors tensors = {{"x", torch::zeros({3})}};
  const std::string zeros = fingerprint_of(tensors);
  tensors["x"][1] = 1;
  EXPECT_NE(fingerprint_of(tensors), zeros);
}

}  // namespace
}  // namespace trivium::learning
