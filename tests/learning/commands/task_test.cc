#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands/program.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/checkpoint_folder.h"
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
    std::vector<std::string> all = {"task", "add",       "riddles", "--checkpoint",
                                    model_, "--threads", "1"};
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
      {"generate", "--checkpoint", model_, "--task", "riddles", "--threads", "1"}, "what is it\n");
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_EQ(add({"--description", "x"}).code, 73);
}

// A table's labels are what the new task is ranked by; the checkpoint's own files stay as they are.
TEST_F(TaskTest, AddsATaskByATable) {
  const std::string manifest = read_file(fs::path(model_) / kManifestFile);
  const fs::path file = temporary_.path() / "tone.csv";
  write_file_atomically(file,
                        "Message text,Label\nthank you,friendly\ngo away,hostile\n"
                        "well done,friendly\n\"no, never\",hostile\nso kind,friendly\n");
  const Outcome outcome =
      add({"--examples", file.string(), "--steps", "2", "--answers-by", "decoder"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("Message_text -> Label (friendly, hostile)"));
  EXPECT_THAT(outcome.err, HasSubstr("1 of them are kept aside for trivium eval"));
  EXPECT_THAT(outcome.out, HasSubstr("loss on 4 examples: "));
  EXPECT_EQ(read_file(fs::path(model_) / kManifestFile), manifest);
  EXPECT_EQ(verify_every_byte(model_), checkpoint_files(model_).size());
  const Outcome scores =
      run_program({"score", "--checkpoint", model_, "--task", "riddles", "--threads", "1"},
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
  EXPECT_THAT(run_program({"task", "list", "--checkpoint", model_}).out, HasSubstr("riddles"));
  EXPECT_EQ(add({"--examples", file.string(), "--steps", "3"}).code, 73);
  EXPECT_EQ(run_program({"task", "remove", "riddles", "--checkpoint", model_}).code, 0);
  EXPECT_EQ(run_program({"task", "remove", "riddles", "--checkpoint", model_}).code, 66);
  EXPECT_EQ(add({"--examples", file.string(), "--steps", "1"}).code, 0);
}

// Experts of its own make pools of the ordinary layers of a dense model too; export squeezes them.
TEST_F(TaskTest, AddsATaskToADenseModelAndExportsIt) {
  const std::string dense = (temporary_.path() / "dense").string();
  save_checkpoint(tiny_checkpoint(1), dense);
  const fs::path file =
      temporary_.write("tone.csv", "text,label\nthank you,a\ngo away,b\nwell done,a\nno never,b\n");
  const Outcome added =
      run_program({"task", "add", "tone", "--checkpoint", dense, "--examples", file.string(),
                   "--steps", "5", "--threads", "1", "--answers-by", "decoder"});
  ASSERT_EQ(added.code, 0) << added.err;
  const auto answer = [](const std::string& model) {
    const Outcome outcome =
        run_program({"generate", "--checkpoint", model, "--task", "tone", "--threads", "1"},
                    "{\"input\": \"thank you\"}\n");
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const Json line = Json::parse(outcome.out);
    return std::pair(line.at("text"), line.at("score"));
  };
  const Outcome exported = run_program({"export", "--checkpoint", dense, "--task", "tone",
                                        "--output", out_, "--storage", "float32"});
  ASSERT_EQ(exported.code, 0) << exported.err;
  EXPECT_EQ(answer(out_), answer(dense));
}

// Fixed labels are answered by a head, whatever else the line asks for.
TEST_F(TaskTest, AddsATaskWithAHead) {
  std::string table = "text,label\n";
  for (int i = 0; i < 16; ++i) {
    table += i % 2 == 0 ? "thank you,friendly\n" : "go away now,hostile\n";
  }
  const fs::path file = temporary_.write("tone.csv", table);
  const Outcome added = run_program({"task", "add", "tone", "--checkpoint", model_, "--examples",
                                     file.string(), "--steps", "10", "--threads", "1"});
  ASSERT_EQ(added.code, 0) << added.err;
  EXPECT_THAT(added.out, HasSubstr("right on 3 of 3 examples that it had not learned from"));
  const Outcome answered = run_program(
      {"generate", "--checkpoint", model_, "--task", "tone", "--threads", "1", "--token-scores"},
      "{\"input\": \"thank you\"}\n{\"input\": {\"text\": \"go away now\"}}\n"
      "{\"input\": \"a b\", \"task\": \"sst2\"}\n");
  ASSERT_EQ(answered.code, 0) << answered.err;
  const std::vector<Json> lines = cli::json_lines(answered.out);
  EXPECT_EQ(lines.at(0).at("text"), "friendly");
  EXPECT_EQ(lines.at(1).at("text"), "hostile");
  EXPECT_EQ(lines.at(1).at("tokens").at(0).at(0), "hostile");
  EXPECT_EQ(lines.at(2).at("task"), "sst2");
  const Outcome ranked =
      run_program({"score", "--checkpoint", model_, "--task", "tone", "--threads", "1"},
                  "{\"input\": \"thank you\"}\n");
  EXPECT_EQ(Json::parse(ranked.out).at("best"), "friendly") << ranked.err;
  const Outcome scored = run_program({"eval", "--checkpoint", model_, "--gym", file.string(),
                                      "--tasks", "tone", "--threads", "1", "--json"});
  ASSERT_EQ(scored.code, 0) << scored.err;
  EXPECT_EQ(Json::parse(scored.out).at("tasks").at(0).at("score"), 1);
  const Outcome exported = run_program({"export", "--checkpoint", model_, "--task", "tone",
                                        "--output", out_, "--storage", "float32"});
  EXPECT_EQ(exported.code, 2);
  EXPECT_THAT(exported.err, HasSubstr("add it with --answers-by decoder to export it"));
  EXPECT_FALSE(fs::exists(out_));
}

TEST_F(TaskTest, CountsExpertsFrom1AndNamesAnswersThatAreTheSameIds) {
  const fs::path file = temporary_.path() / "examples.jsonl";
  write_file_atomically(file,
                        "{\"inputs\": \"a b\", \"targets\": \"❤\"}\n"
                        "{\"inputs\": \"c d\", \"targets\": \"😂\", \"note\": null}\n");
  const Outcome outcome = add({"--examples", file.string(), "--steps", "1"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr(R"(riddles: the tokenizer cannot tell apart ["❤","😂"])"));
  EXPECT_THAT(outcome.out, HasSubstr("its experts began as those of encoder 0 "));
  const Json own =
      Json::parse(run_program({"task", "show", "riddles", "--checkpoint", model_, "--json"}).out);
  EXPECT_EQ(own.at("route"), (Json{{"encoder", {2, 4}}, {"decoder", {4, 4}}}));
  ASSERT_EQ(run_program({"task", "remove", "riddles", "--checkpoint", model_}).code, 0);
  const Outcome described = add({"--description", "a witty film"});
  const Outcome shown = run_program({"task", "show", "riddles", "--checkpoint", model_, "--json"});
  const Json route = Json::parse(shown.out).at("route");
  std::string text = "route: encoder";
  for (const Json& expert : route.at("encoder")) text += " " + expert.dump();
  text += ", decoder";
  for (const Json& expert : route.at("decoder")) text += " " + expert.dump();
  EXPECT_THAT(described.out, HasSubstr(text + "\n"));
}

TEST_F(TaskTest, RefusesNamesThatCannotBe) {
  for (const char* name : {"kg/../../x", "..", "", "a b"}) {
    const Outcome outcome =
        run_program({"task", "add", name, "--checkpoint", "nowhere", "--description", "x"});
    EXPECT_EQ(outcome.code, 64) << name;
    EXPECT_THAT(outcome.err, HasSubstr("is not a plain name")) << name;
  }
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
  EXPECT_EQ(add({"--examples", "nowhere.csv"}).code, 66);
  EXPECT_FALSE(fs::exists(fs::path(model_) / "tasks"));
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
