#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands/program.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "learning/storage/tiny_checkpoint.h"

namespace trivium::learning {
namespace {

namespace fs = std::filesystem;
using cli::Outcome;
using cli::run_program;
using ::testing::HasSubstr;

class RoutesTest : public ::testing::Test {
 protected:
  RoutesTest() {
    save_checkpoint(tiny_checkpoint(), model_);
    add_task("sst2", {"text"}, {"negative", "positive"});
    add_task("mnli", {"premise", "hypothesis"}, {"entailment", "neutral", "contradiction"});
    add_task("gsm8k_answer", {"question"}, {});
    temporary_.write("gym/split.json", R"({"seen": ["sst2", "mnli", "gsm8k_answer"]})");
  }

  void add_task(const std::string& name, const std::vector<std::string>& inputs,
                const std::vector<std::string>& labels) const {
    Json fields = inputs;
    fields.push_back("label");
    temporary_.write("gym/" + name + "/task.json", Json{{"name", name},
                                                        {"family", "made up"},
                                                        {"fields", fields},
                                                        {"inputs", inputs},
                                                        {"target", "label"},
                                                        {"labels", labels},
                                                        {"metric", "accuracy"}}
                                                       .dump());
    Json record{{"label", labels.empty() ? "4" : labels[0]}};
    for (const std::string& input : inputs) record[input] = "a dull war film of " + input;
    for (const char* split : {"train", "dev", "test"}) {
      temporary_.write("gym/" + name + "/" + split + ".jsonl", record.dump() + "\n");
    }
  }

  TemporaryFolder temporary_;
  std::string model_ = (temporary_.path() / "model").string();
  std::string gym_ = (temporary_.path() / "gym").string();
};

TEST_F(RoutesTest, DisablesExperts) {
  const Outcome json = run_program({"routes", "disable", "--checkpoint", model_, "--gym", gym_,
                                    "--json", "--random", "2", "--threads", "1"});
  ASSERT_EQ(json.code, 0) << json.err;
  EXPECT_TRUE(Json::parse(json.out).at("pairs").is_array());
}

TEST_F(RoutesTest, ResolvesTheRoutesOfACheckpointOfBefore) {
  const std::string routes = read_file(fs::path(model_) / kRoutesFile);
  replace_checkpoint_folder(model_, [&](const fs::path& staging) {
    for (const auto& entry : fs::directory_iterator(model_)) {
      const fs::path name = entry.path().filename();
      if (name != kManifestFile && name != kRoutesFile) fs::copy(entry.path(), staging / name);
    }
  });
  const std::vector<std::string> show = {"routes", "show", "--checkpoint", model_};
  const Outcome before = run_program(show);
  EXPECT_EQ(before.code, 76);
  EXPECT_THAT(before.err, HasSubstr("trivium routes resolve --checkpoint " + model_));
  const Outcome resolved = run_program({"routes", "resolve", "--checkpoint", model_});
  ASSERT_EQ(resolved.code, 0) << resolved.err;
  EXPECT_EQ(read_file(fs::path(model_) / kRoutesFile), routes);
  EXPECT_EQ(run_program(show).code, 0);
  EXPECT_NO_THROW(open_checkpoint(model_, Verify::kHashes));
}

}  // namespace
}  // namespace trivium::learning
