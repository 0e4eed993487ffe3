#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands/program.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/stored_kind.h"
#include "learning/storage/tiny_checkpoint.h"

namespace trivium::learning {
namespace {

namespace fs = std::filesystem;
using cli::Outcome;
using cli::run_program;
using ::testing::HasSubstr;

class TaskTest : public ::testing::Test {
 protected:
  TaskTest() { save_checkpoint(tiny_checkpoint(), model_); }

  Outcome add(const std::vector<std::string>& more) const {
    std::vector<std::string> all = {
        "task", "add", "riddles", "--checkpoint", model_, "--output", out_, "--threads", "1"};
    all.insert(all.end(), more.begin(), more.end());
    return run_program(all);
  }

  TemporaryFolder temporary_;
  std::string model_ = (temporary_.path() / "model").string();
  std::string out_ = (temporary_.path() / "out").string();
};

TEST_F(TaskTest, AddsATaskByItsDescription) {
  const Outcome outcome = add({"--description", "how many apples are left"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("riddles: near gsm8k_answer"));
  const Outcome answer = run_program(
      {"generate", "--checkpoint", out_, "--task", "riddles", "--threads", "1"}, "what is it\n");
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_EQ(add({"--description", "x"}).code, 73);
}

// A table's labels are what the new task is ranked by; weights lie on the disk as they did.
TEST_F(TaskTest, AddsATaskByATable) {
  SaveOptions options;
  options.storage = StorageKind::kBFloat16;
  save_checkpoint(tiny_checkpoint(), model_, options);
  const fs::path file = temporary_.path() / "tone.csv";
  write_file_atomically(file,
                        "Message text,Label\nthank you,friendly\ngo away,hostile\n"
                        "well done,friendly\n\"no, never\",hostile\n");
  const Outcome outcome = add({"--examples", file.string(), "--steps", "2"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("Message_text -> Label (friendly, hostile)"));
  EXPECT_EQ(stored_kind(out_), StorageKind::kBFloat16);
  const Outcome scores =
      run_program({"score", "--checkpoint", out_, "--task", "riddles", "--threads", "1"},
                  "{\"input\": \"thanks\"}\n");
  ASSERT_EQ(scores.code, 0) << scores.err;
  EXPECT_THAT(scores.out, HasSubstr("\"options\":[\"friendly\",\"hostile\"]"));
}

TEST_F(TaskTest, AddsATaskByItsExamples) {
  const fs::path file = temporary_.path() / "examples.jsonl";
  write_file_atomically(file,
                        "{\"inputs\": \"a b\", \"targets\": \"yes\"}\n"
                        "{\"inputs\": \"c d\", \"targets\": [\"no\"]}\n");
  const Outcome outcome = add({"--examples", file.string(), "--steps", "3"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("loss on 2 examples: "));
  EXPECT_TRUE(open_checkpoint(out_).info.tasks.has("riddles"));
}

TEST_F(TaskTest, CountsExpertsFrom1AndNamesAnswersThatAreTheSameIds) {
  const fs::path file = temporary_.path() / "examples.jsonl";
  write_file_atomically(file,
                        "{\"inputs\": \"a b\", \"targets\": \"❤\"}\n"
                        "{\"inputs\": \"c d\", \"targets\": \"😂\", \"note\": null}\n");
  const Outcome outcome = add({"--examples", file.string(), "--steps", "1"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr(R"(riddles: the tokenizer cannot tell apart ["❤","😂"])"));
  const Outcome shown = run_program({"task", "show", "riddles", "--checkpoint", out_, "--json"});
  const Json route = Json::parse(shown.out).at("route");
  std::string text = "route: encoder";
  for (const Json& expert : route.at("encoder")) text += " " + expert.dump();
  text += ", decoder";
  for (const Json& expert : route.at("decoder")) text += " " + expert.dump();
  EXPECT_THAT(outcome.out, HasSubstr(text + "\n"));
}

TEST_F(TaskTest, RefusesNamesAndOutputsThatCannotBe) {
  const auto add_named = [&](const std::string& name, const std::string& output) {
    return run_program(
        {"task", "add", name, "--checkpoint", "nowhere", "--description", "x", "--output", output});
  };
  for (const char* name : {"kg/../../x", "..", "", "a b"}) {
    const Outcome outcome = add_named(name, out_);
    EXPECT_EQ(outcome.code, 64) << name;
    EXPECT_THAT(outcome.err, HasSubstr("is not a plain name")) << name;
  }
  EXPECT_EQ(add_named("riddles", "").code, 64);
  const std::string file = temporary_.write("file", "x").string();
  EXPECT_EQ(add_named("riddles", file).code, 64);
}

TEST_F(TaskTest, RefusesWhatItCannotRead) {
  const fs::path file = temporary_.path() / "examples.jsonl";
  write_file_atomically(file, "{\"inputs\": \"a b\", \"targets\": \"yes\"}\n{\"inputs\": 3}\n");
  const Outcome outcome = add({"--examples", file.string()});
  EXPECT_EQ(outcome.code, 65);
  EXPECT_THAT(outcome.err, HasSubstr("examples.jsonl:2"));
  write_file_atomically(file, "{\"targets\": 1}\n");
  EXPECT_THAT(add({"--examples", file.string()}).err, HasSubstr("the only column is targets"));
  EXPECT_EQ(add({}).code, 2);
  EXPECT_FALSE(fs::exists(out_));
}

TEST_F(TaskTest, MakesVectorsOfAGymsTasks) {
  const fs::path gym = temporary_.path() / "gym";
  const std::string dense = (temporary_.path() / "dense").string();
  save_checkpoint(tiny_checkpoint(1), dense);
  for (const std::string name : {"one", "two", "three"}) {
    fs::create_directories(gym / name);
    write_file_atomically(gym / name / "task.json", Json{{"name", name},
                                                         {"family", "f"},
                                                         {"fields", {"text", "label"}},
                                                         {"inputs", {"text"}},
                                                         {"target", "label"},
                                                         {"labels", Json::array()},
                                                         {"metric", "accuracy"}}
                                                        .dump());
    for (const char* split : {"train.jsonl", "dev.jsonl", "test.jsonl"}) {
      write_file_atomically(gym / name / split,
                            Json{{"text", "words of " + name}, {"label", name}}.dump() + "\n");
    }
  }
  write_file_atomically(gym / "split.json", R"({"seen": ["one", "two"], "unseen": ["three"]})");
  for (const std::string kind : {"random", "text", "text_tuned", "fisher"}) {
    const std::string file = (temporary_.path() / (kind + ".safetensors")).string();
    const Outcome outcome =
        run_program({"task", "vector", "--gym", gym.string(), "--kind", kind, "--checkpoint", dense,
                     "--dim", "2", "--steps", "1", "--output", file, "--threads", "1"});
    ASSERT_EQ(outcome.code, 0) << kind << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("3 tasks, 2 numbers each"));
  }
  EXPECT_EQ(run_program({"task", "vector", "--gym", gym.string(), "--kind", "text", "--checkpoint",
                         model_, "--output", out_})
                .code,
            2);
}

}  // namespace
}  // namespace trivium::learning
