#include "research/studies/task_level_experiment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "learning/training/toy_training.h"
#include "research/studies/task_level_report.h"

namespace trivium::research {
namespace {

namespace fs = std::filesystem;

// Two seen tasks and an unseen one of two labels, 40 records a split.
void write_gym(TemporaryFolder& folder) {
  const std::string letters = "abcdefghijklmnop";
  for (const std::string task : {"first", "second", "new"}) {
    folder.write(
        "gym/" + task + "/task.json",
        "{\"name\": \"" + task + "\", \"family\": \"family of " + task + R"(", "metric": "accuracy",
      "fields": ["text", "label"], "inputs": ["text"], "target": "label", "labels": ["x", "y"]})");
    for (const char* split : {"train", "dev", "test"}) {
      std::string lines;
      for (int i = 0; i < 70; ++i) {
        lines += std::string("{\"text\": \"") + letters[i % 16] + " " + letters[i / 16] +
                 "\", \"label\": \"" + (i % 2 ? "x" : "y") + "\"}\n";
      }
      folder.write("gym/" + task + "/" + split + ".jsonl", lines);
    }
    folder.write("prompts/" + task + ".toml",
                 "description = \"x\"\n[example]\ntext = \"y\"\n"
                 "[[template]]\nname = \"one\"\ninput = \"q {{text}}\"\n"
                 "[[template]]\nname = \"two\"\ninput = \"{{text}} z\"\n");
  }
  folder.write("gym/split.json", R"({"seen": ["first", "second"], "unseen": ["new"]})");
}

class TaskLevelExperimentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    write_gym(folder_);
    save_checkpoint(learning::toy_checkpoint(learning::toy_config(1)), folder_.path() / "start");
    const std::string common =
        "[train]\nsteps = 2\nbatch_tokens = 64\n[run]\nlog_every = 1\n[data]\n"
        "max_source_length = 16\nmax_target_length = 8\neval_examples = 2\n[model]\n";
    folder_.write("methods/vanilla.toml", common + "num_experts = 1\n");
    folder_.write("methods/average.toml", common + "routes = \"average\"\n");
    folder_.write("methods/learned.toml", common + "task_vectors = \"text\"\n");
    folder_.write("methods/two_stage.toml",
                  common + "task_vectors = \"text\"\n[second_stage]\nsteps = 2\n");
    settings_.init = (folder_.path() / "start").string();
    settings_.gym = (folder_.path() / "gym").string();
    settings_.prompts = (folder_.path() / "prompts").string();
    settings_.methods_folder = (folder_.path() / "methods").string();
    settings_.methods = {"vanilla", "average", "learned", "two_stage"};
    settings_.seen_examples = settings_.unseen_examples = 6;
    settings_.templates = true;
    settings_.overrides = {"train.learning_rate=1e-3", "second_stage.steps=1"};
    settings_.output = (folder_.path() / "out").string();
    settings_.samples = {100, 13};
    settings_.learning_rates = {1e-3};
    settings_.batch_sizes = {4};
    settings_.steps = 2;
    settings_.eval_every = 1;
    settings_.precision = learning::Precision::kFloat32;
  }

  std::string report_of(const TaskLevelExperiment& experiment) const {
    const TaskLevelPlan plan =
        read_task_level_plan(TRIVIUM_SOURCE_DIR "/configs/task_level/plan.toml");
    return task_level_report(plan, experiment.runs(), experiment.tried(), settings_, "the command",
                             {})
        .to_markdown();
  }

  TemporaryFolder folder_;
  TaskLevelSettings settings_;
};

TEST_F(TaskLevelExperimentTest, ScoresEveryMethodAndIsDoneOnce) {
  TaskLevelExperiment experiment(settings_, nullptr);
  ASSERT_TRUE(experiment.run());
  ASSERT_EQ(experiment.runs().size(), 5u);
  const MethodRun& direct = experiment.runs()[0];
  EXPECT_EQ(direct.method, kDirect);
  EXPECT_TRUE(direct.seen.empty());
  EXPECT_EQ(direct.few_shot.size(), 1u);
  for (size_t m = 1; m < 5; ++m) {
    const MethodRun& run = experiment.runs()[m];
    EXPECT_EQ(run.method, settings_.methods[m - 1]);
    EXPECT_EQ(run.seen.size(), 2u);
    EXPECT_EQ(run.zero_shot.size(), 1u);
    EXPECT_EQ(run.zero_shot_ranked.at(0).task, "new");
    EXPECT_EQ(run.templates.at(0).scores.size(), 2u);
    EXPECT_EQ(run.few_shot.at(0).scores.size(), 2u);
  }
  const double vanilla = experiment.runs()[1].inference_flops;
  EXPECT_GT(experiment.runs()[2].inference_flops, vanilla * 1.5);  // all experts
  EXPECT_DOUBLE_EQ(experiment.runs()[3].inference_flops, vanilla);
  EXPECT_TRUE(experiment.trained("learned").model->has_router());
  EXPECT_TRUE(fs::exists(fs::path(settings_.output) / "two_stage-42" / "first_stage"));
  EXPECT_FALSE(fs::exists(fs::path(settings_.output) / "learned-42" / "first_stage"));

  // Nothing is trained again, and a lost result is made anew with the same numbers.
  const auto before = learning::files_of(settings_.output);
  fs::remove_all(fs::path(settings_.output) / "average-42");
  TaskLevelExperiment again(settings_, nullptr);
  ASSERT_TRUE(again.run());
  for (const auto& [name, bytes] : learning::files_of(settings_.output)) {
    if (name == "average-42/results.json") continue;  // has wall times
    EXPECT_EQ(bytes, before.at(name)) << name;
  }
  Json a = to_json(experiment.runs()[2]), b = to_json(again.runs()[2]);
  a.erase("training_seconds");
  b.erase("training_seconds");
  EXPECT_EQ(a, b);
}

TEST_F(TaskLevelExperimentTest, StoppedItGoesOn) {
  std::atomic<bool> stop = true;
  TaskLevelExperiment stopped(settings_, &stop);
  EXPECT_FALSE(stopped.run());
  stop = false;
  TaskLevelExperiment experiment(settings_, &stop);
  EXPECT_TRUE(experiment.run());
}

TEST_F(TaskLevelExperimentTest, TriedSettingsAreScoredOnSeenTasks) {
  settings_.methods = {"vanilla", "average", "learned"};
  settings_.tried = folder_
                        .write("tried.toml",
                               "[[tried]]\nname = \"hot\"\nmethod = \"learned\"\n"
                               "overrides = [\"model.temperature=5\"]\n"
                               "[[tried]]\nname = \"short\"\nmethod = \"average\"\n"
                               "overrides = [\"train.steps=1\"]\n")
                        .string();
  TaskLevelExperiment experiment(settings_, nullptr);
  ASSERT_TRUE(experiment.run());
  ASSERT_EQ(experiment.runs().size(), 6u);
  const MethodRun& hot = experiment.runs()[4];
  EXPECT_EQ(hot.method, "hot");
  EXPECT_EQ(hot.seen.size(), 2u);
  EXPECT_TRUE(hot.zero_shot.empty());
  EXPECT_TRUE(hot.few_shot.empty());
  EXPECT_TRUE(experiment.trained("hot").model->has_router());
  EXPECT_FALSE(experiment.trained("short").model->has_router());
  const std::string text = report_of(experiment);
  EXPECT_THAT(text, testing::HasSubstr("Other settings tried"));
  EXPECT_THAT(text, testing::HasSubstr("model.temperature=5"));
  EXPECT_THAT(text, testing::HasSubstr("less average"));
}

TEST_F(TaskLevelExperimentTest, KeptResultsNeedNoGymAndStandForTheirSettingsOnly) {
  settings_.methods = {"vanilla"};
  ASSERT_TRUE(TaskLevelExperiment(settings_, nullptr).run());
  fs::rename(folder_.path() / "gym", folder_.path() / "hidden");
  TaskLevelExperiment again(settings_, nullptr);
  EXPECT_TRUE(again.run());
  EXPECT_EQ(again.runs().size(), 2u);
  fs::rename(folder_.path() / "hidden", folder_.path() / "gym");
  settings_.overrides = {"train.learning_rate=2e-3"};
  TaskLevelExperiment changed(settings_, nullptr);
  EXPECT_THROW(changed.run(), Error);
  settings_.overrides = {"train.learning_rate=1e-3", "second_stage.steps=1"};
  settings_.seen_examples = 5;
  TaskLevelExperiment rescored(settings_, nullptr);
  EXPECT_THROW(rescored.run(), Error);
}

TEST_F(TaskLevelExperimentTest, ReportHasEveryMethodTaskAndClaim) {
  TaskLevelExperiment experiment(settings_, nullptr);
  ASSERT_TRUE(experiment.run());
  const std::string text = report_of(experiment);
  for (const char* part : {"direct", "vanilla", "average", "learned", "first", "second", "new",
                           "the command", "averaging is above vanilla", "ARG few-shot"}) {
    EXPECT_THAT(text, testing::HasSubstr(part));
  }
}

TEST_F(TaskLevelExperimentTest, RefusesARoutedStartAndAnUnknownMethod) {
  settings_.methods = {"vanilla", "nonsense"};
  EXPECT_THROW(TaskLevelExperiment(settings_, nullptr), Error);
  settings_.methods = {"vanilla"};
  settings_.tried = folder_
                        .write("tried.toml",
                               "[[tried]]\nname = \"hot\"\nmethod = \"nonsense\"\n"
                               "overrides = [\"model.temperature=5\"]\n")
                        .string();
  EXPECT_THROW(TaskLevelExperiment(settings_, nullptr), Error);
  settings_.tried.clear();
  save_checkpoint(learning::toy_checkpoint(), folder_.path() / "start");
  EXPECT_THROW(TaskLevelExperiment(settings_, nullptr), Error);
}

}  // namespace
}  // namespace trivium::research
