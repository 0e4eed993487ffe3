#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands/program.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"
#include "core/inference/loaded_model.h"

namespace trivium::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class EvalTest : public ::testing::Test {
 protected:
  EvalTest() {
    save_checkpoint(tiny_checkpoint(), model_);
    add_task("sst2", "a witty film");
    add_task("reviews", "a dull war film");
    write("split.json", R"({"seen": ["sst2"], "unseen": ["reviews"]})");
  }

  void write(const fs::path& name, const std::string& text) const {
    fs::create_directories((gym_ / name).parent_path());
    write_file_atomically(gym_ / name, text);
  }

  // Two of three train answers are "positive", and three of four test answers.
  void add_task(const std::string& name, const std::string& text) const {
    write(fs::path(name) / "task.json", Json{{"name", name},
                                             {"family", "sentiment"},
                                             {"fields", {"text", "label"}},
                                             {"inputs", {"text"}},
                                             {"target", "label"},
                                             {"labels", {"negative", "positive"}},
                                             {"metric", "accuracy"}}
                                            .dump());
    const auto record = [&](const char* label) {
      return Json{{"text", text}, {"label", label}}.dump() + "\n";
    };
    const std::string good = record("positive"), bad = record("negative");
    write(fs::path(name) / "train.jsonl", bad + good + good);
    write(fs::path(name) / "dev.jsonl", bad);
    write(fs::path(name) / "test.jsonl", good + bad + good + good);
  }

  Outcome eval(const std::vector<std::string>& more) const {
    std::vector<std::string> all = {"eval",        "--checkpoint", model_, "--gym",
                                    gym_.string(), "--threads",    "1"};
    all.insert(all.end(), more.begin(), more.end());
    return run_program(all);
  }

  TemporaryFolder temporary_;
  std::string model_ = (temporary_.path() / "model").string();
  fs::path gym_ = temporary_.path() / "gym";
};

TEST_F(EvalTest, ScoresKnownAndUnknownTasks) {
  const fs::path predictions = temporary_.path() / "predictions";
  const Outcome outcome = eval(
      {"--split", "all", "--mode", "ranking", "--json", "--predictions", predictions.string()});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json report = Json::parse(outcome.out);
  ASSERT_EQ(report.at("tasks").size(), 2u);
  const Json& unknown = report.at("tasks").at(0);
  EXPECT_EQ(unknown.at("task"), "reviews");
  EXPECT_EQ(unknown.at("route"), "sst2 (3 of 3)");
  const Json& known = report.at("tasks").at(1);
  EXPECT_EQ(known.at("task"), "sst2");
  EXPECT_EQ(known.at("route"), "own");
  EXPECT_EQ(known.at("majority"), 0.75);
  EXPECT_EQ(known.at("examples"), 4);
  // Every record of a task has the same input, so that its likelier option is the answer to all.
  LoadedModel model(model_, EngineOptions{});
  const ResolvedPrompt prompt = model.resolve_fields("sst2", {{"text", "a witty film"}});
  const std::vector<double> likelihoods =
      model.generator().score({prompt.prompt}, {{"negative", "positive"}}).at(0).log_likelihoods;
  const bool says_positive = likelihoods[1] > likelihoods[0];
  const double score = known.at("score").get<double>();
  EXPECT_EQ(score, says_positive ? 0.75 : 0.25);
  const std::vector<Json> lines = json_lines(read_file(predictions / "sst2.jsonl"));
  ASSERT_EQ(lines.size(), 4u);
  double right = 0;
  for (const Json& line : lines) {
    EXPECT_EQ(line.at("prediction"), says_positive ? "positive" : "negative");
    right += line.at("prediction") == line.at("targets").at(0);
  }
  EXPECT_EQ(right / 4, score);
  EXPECT_EQ(eval({"--predictions", predictions.string()}).code, 73);
}

TEST_F(EvalTest, PrintsATableAndProgress) {
  const Outcome outcome = eval({"--part-of", "dev", "--limit", "1"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("sst2  sentiment  accuracy"));
  EXPECT_THAT(outcome.out, HasSubstr("mean of 1 tasks: "));
  EXPECT_THAT(outcome.err, HasSubstr("1/1 sst2: "));
  EXPECT_EQ(outcome.err.find('\x1b'), std::string::npos);
  EXPECT_THAT(eval({"--markdown"}).out, HasSubstr("| task | family "));
}

TEST_F(EvalTest, ABadTaskLosesNothingOfTheOthers) {
  write("sst2/test.jsonl", "{\"text\": \"a\"}\n");
  const Outcome outcome = eval({"--split", "all", "--json"});
  EXPECT_EQ(outcome.code, 65);
  EXPECT_THAT(outcome.err, HasSubstr("sst2 is left out: "));
  EXPECT_THAT(outcome.err, HasSubstr("test.jsonl:1"));
  EXPECT_EQ(Json::parse(outcome.out).at("tasks").at(0).at("task"), "reviews");
}

// Two labels that the vocabulary lacks, in turn: whatever the model is, it guesses.
TEST_F(EvalTest, LabelsThatAreTheSameIdsAreNamedAndScoreAsGuesses) {
  write("hearts/task.json", Json{{"name", "hearts"},
                                 {"family", "sentiment"},
                                 {"fields", {"text", "label"}},
                                 {"inputs", {"text"}},
                                 {"target", "label"},
                                 {"labels", {"❤", "😂"}},
                                 {"metric", "accuracy"}}
                                .dump());
  std::string lines;
  for (int i = 0; i < 4; ++i) {
    lines += Json{{"text", "a film"}, {"label", i % 2 == 0 ? "❤" : "😂"}, {"note", nullptr}}.dump() +
             "\n";
  }
  for (const char* file : {"train.jsonl", "dev.jsonl", "test.jsonl"}) {
    write(fs::path("hearts") / file, lines);
  }
  const Outcome outcome = eval({"--tasks", "hearts", "--mode", "ranking", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json task = Json::parse(outcome.out).at("tasks").at(0);
  EXPECT_EQ(task.at("score"), 0.5);
  EXPECT_EQ(task.at("majority"), 0.5);
  EXPECT_EQ(task.at("tied"), 4);
  EXPECT_EQ(task.at("indistinguishable"), Json::parse(R"([["❤", "😂"]])"));
  EXPECT_THAT(outcome.err, HasSubstr(R"(hearts: the tokenizer cannot tell apart ["❤","😂"])"));
}

TEST_F(EvalTest, ReadsACrossfitFolder) {
  const fs::path folder = temporary_.path() / "crossfit";
  for (const char* split : {"train", "dev", "test"}) {
    fs::create_directories(folder);
    write_file_atomically(folder / (std::string("films_2_100_") + split + ".tsv"),
                          "a \"film\tpositive\nb\tnegative\nc\tpositive\nd\tnegative\n");
  }
  const Outcome outcome = run_program({"eval", "--checkpoint", model_, "--gym", folder.string(),
                                       "--threads", "1", "--mode", "ranking", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json report = Json::parse(outcome.out);
  EXPECT_EQ(report.at("num_beams"), 2);  // the checkpoint's
  const Json& task = report.at("tasks").at(0);
  EXPECT_EQ(task.at("task"), "films");
  EXPECT_EQ(task.at("examples"), 4);
  EXPECT_EQ(task.at("majority"), 0.5);
}

TEST_F(EvalTest, RefusesUnknownTasksAndParts) {
  EXPECT_EQ(eval({"--tasks", "sst2,sst2"}).code, 64);
  EXPECT_EQ(eval({"--tasks", "sst2,sst9"}).code, 66);
  EXPECT_EQ(eval({"--split", "soon"}).code, 2);
  EXPECT_EQ(run_program({"eval", "--checkpoint", model_, "--gym", "nowhere"}).code, 66);
}

TEST_F(EvalTest, ADryRunReadsTheTasksAndScoresNothing) {
  const std::string output = (temporary_.path() / "report").string();
  const Outcome outcome = eval({"--split", "all", "--limit", "3", "--output", output, "--dry-run"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json report = Json::parse(outcome.out);
  EXPECT_EQ(report.at("dry_run"), true);
  ASSERT_EQ(report.at("tasks").size(), 2u);
  EXPECT_EQ(report.at("tasks").at(0).at("task"), "reviews");
  EXPECT_EQ(report.at("tasks").at(0).at("route"), "sst2 (3 of 3)");
  EXPECT_EQ(report.at("tasks").at(1).at("task"), "sst2");
  EXPECT_EQ(report.at("tasks").at(1).at("route"), "own");
  EXPECT_EQ(report.at("tasks").at(1).at("examples"), 3);
  EXPECT_GT(report.at("memory").at("weights_bytes"), 0);
  EXPECT_FALSE(fs::exists(output));
  write("reviews/test.jsonl", "{\"text\": \"a\"}\n");
  const Outcome bad = eval({"--split", "all", "--dry-run"});
  EXPECT_EQ(bad.code, 65);
  EXPECT_THAT(bad.err, HasSubstr("reviews would be left out: "));
  EXPECT_EQ(eval({"--tasks", "sst9", "--dry-run"}).code, 66);
}

}  // namespace
}  // namespace trivium::cli
