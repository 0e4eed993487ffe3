#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands/program.h"
#include "core/base/file.h"
#include "core/base/file_lock.h"
#include "core/base/temporary_folder.h"
#include "core/inference/loaded_model.h"
#include "learning/storage/tiny_checkpoint.h"

namespace trivium::learning {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class AdaptTest : public ::testing::Test {
 protected:
  AdaptTest() {
    save_checkpoint(tiny_checkpoint(), model_);
    write("split.json", R"({"unseen": ["reviews"]})");
    write("reviews/task.json", Json{{"name", "reviews"},
                                    {"family", "sentiment"},
                                    {"fields", {"text", "label"}},
                                    {"inputs", {"text"}},
                                    {"target", "label"},
                                    {"labels", {"negative", "positive"}},
                                    {"metric", "accuracy"}}
                                   .dump());
    std::string lines;
    for (const char* text : {"good", "fine", "nice", "best"}) {
      lines += Json{{"text", text}, {"label", "positive"}}.dump() + "\n";
      lines += Json{{"text", std::string("not ") + text}, {"label", "negative"}}.dump() + "\n";
    }
    for (const char* split : {"train", "dev", "test"}) {
      write("reviews/" + std::string(split) + ".jsonl", lines);
    }
  }

  void write(const fs::path& name, const std::string& text) const {
    fs::create_directories((gym_ / name).parent_path());
    write_file_atomically(gym_ / name, text);
  }

  cli::Outcome adapt(const std::vector<std::string>& more) const {
    std::vector<std::string> all = {"adapt",
                                    model_,
                                    "--gym",
                                    gym_.string(),
                                    "--task",
                                    "reviews",
                                    "--steps",
                                    "2",
                                    "--samples",
                                    "1",
                                    "--threads",
                                    "1",
                                    "--mode",
                                    "ranking",
                                    "--learning-rates",
                                    "1e-4",
                                    "--batch-sizes",
                                    "2"};
    all.insert(all.end(), more.begin(), more.end());
    return cli::run_program(all);
  }

  TemporaryFolder temporary_;
  std::string model_ = (temporary_.path() / "model").string();
  std::string tuned_ = (temporary_.path() / "tuned").string();
  fs::path gym_ = temporary_.path() / "gym";
};

TEST_F(AdaptTest, ASecondWriterOfOneOutputIsRefused) {
  const FileLock first(tuned_);
  const cli::Outcome second = adapt({"--start", "squeezed", "--output", tuned_});
  EXPECT_EQ(second.code, 73);
  EXPECT_THAT(second.err, HasSubstr("is being written by another process"));
  EXPECT_FALSE(fs::exists(tuned_));
}

TEST_F(AdaptTest, TunesScoresAndWritesTheModel) {
  const cli::Outcome outcome = adapt({"--start", "squeezed", "--json", "--output", tuned_});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json json = Json::parse(outcome.out);
  EXPECT_EQ(json.at("start"), "squeezed");
  const Json& task = json.at("tasks").at(0);
  EXPECT_THAT(task.at("route").get<std::string>(), HasSubstr(" of 8)"));
  EXPECT_EQ(task.at("samples").at(0).at("seed"), 100);
  EXPECT_EQ(task.at("samples").at(0).at("train"), 4);
  LoadedModel tuned(tuned_, EngineOptions());
  EXPECT_EQ(tuned.config().routing.num_experts, 1);
  EXPECT_EQ(tuned.resolve("reviews", "good").options.size(), 2u);
  EXPECT_EQ(adapt({"--output", tuned_}).code, 73);
}

TEST_F(AdaptTest, ComparesWithABase) {
  const cli::Outcome base = adapt({"--start", "averaged", "--preset", "paper", "--json"});
  ASSERT_EQ(base.code, 0) << base.err;
  const fs::path file = temporary_.path() / "base.json";
  const fs::path bars = temporary_.path() / "bars.svg";
  write_file_atomically(file, base.out);
  const cli::Outcome outcome = adapt({"--base", file.string(), "--bars", bars.string()});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("squeezed, few-shot over " + model_ + ", averaged"));
  EXPECT_TRUE(fs::exists(bars));
  write_file_atomically(file, R"({"name": "x", "tasks": [{"task": "reviews", "samples": []}]})");
  EXPECT_EQ(adapt({"--base", file.string()}).code, 65);
}

TEST_F(AdaptTest, APresetIsWhatItSaysAndFlagsGoBeforeIt) {
  const cli::Outcome paper = cli::run_program(
      {"adapt", model_, "--gym", gym_.string(), "--task", "reviews", "--samples", "1", "--threads",
       "1", "--preset", "paper", "--steps", "1", "--batch-sizes", "2", "--json"});
  ASSERT_EQ(paper.code, 0) << paper.err;
  const Json json = Json::parse(paper.out);
  EXPECT_EQ(json.at("start"), "routed");
  EXPECT_EQ(json.at("steps"), 1);
  EXPECT_EQ(json.at("tasks").at(0).at("samples").at(0).at("cells").size(), 3u) << "three rates";
  const cli::Outcome mixed = adapt({"--start", "averaged"});
  EXPECT_EQ(mixed.code, 2);
  EXPECT_THAT(mixed.err, HasSubstr("give --preset paper"));
}

// What task add takes as --examples, and CrossFit's files.
TEST_F(AdaptTest, TunesOnAFileOfExamplesAndOnCrossfitsSamples) {
  std::string lines, columns;
  for (int i = 0; i < 20; ++i) {
    lines +=
        Json{{"inputs", "text " + std::to_string(i)}, {"targets", i % 2 ? "a" : "b"}}.dump() + "\n";
  }
  const auto run = [&](const std::string& gym, const std::string& task) {
    return cli::run_program({"adapt", model_, "--gym", gym, "--task", task, "--steps", "1",
                             "--samples", "1", "--threads", "1", "--learning-rates", "1e-4",
                             "--batch-sizes", "2", "--answers-by", "decoder", "--json"});
  };
  write("mine.jsonl", lines);
  const cli::Outcome own = run((gym_ / "mine.jsonl").string(), "mine");
  ASSERT_EQ(own.code, 0) << own.err;
  EXPECT_EQ(Json::parse(own.out).at("tasks").at(0).at("samples").at(0).at("seed"), 100);
  for (const char* split : {"train", "dev", "test"}) {
    write(std::string("crossfit/films_2_13_") + split + ".tsv", "a\t❤\nb\t😂\nc\t❤\nd\t😂\n");
  }
  const cli::Outcome given = run((gym_ / "crossfit").string(), "films");
  ASSERT_EQ(given.code, 0) << given.err;
  const Json task = Json::parse(given.out).at("tasks").at(0);
  EXPECT_EQ(task.at("samples").at(0).at("seed"), 13);
  EXPECT_EQ(task.at("samples").at(0).at("train"), 4);
  EXPECT_EQ(task.at("indistinguishable"), Json::parse(R"([["❤", "😂"]])"));
  EXPECT_THAT(given.err, HasSubstr("films: the tokenizer cannot tell apart"));
}

TEST_F(AdaptTest, AFrozenHeadStandsInTheSameTable) {
  const cli::Outcome outcome = adapt({"--start", "frozen"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("frozen, few-shot"));
  EXPECT_THAT(outcome.out, HasSubstr("\nreviews "));
  const cli::Outcome refused = adapt({"--start", "frozen", "--output", "runs/x"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("tunes no checkpoint"));
}

TEST_F(AdaptTest, RefusesWhatItCannotDo) {
  const cli::Outcome twice = adapt({"--task", "reviews"});
  EXPECT_EQ(twice.code, 64);
  EXPECT_THAT(twice.err, HasSubstr("named twice"));
  EXPECT_EQ(adapt({"--output", ""}).code, 64);

  EXPECT_EQ(adapt({"--start", "dense"}).code, 2);
  const cli::Outcome head = adapt({"--answers-by", "head", "--output", tuned_});
  EXPECT_EQ(head.code, 2);
  EXPECT_THAT(head.err, HasSubstr("has no place for a head"));
  EXPECT_THAT(adapt({"--answers-by", "head", "--preset", "paper"}).err,
              HasSubstr("a head is tuned with differences of a dense start"));
  EXPECT_EQ(adapt({"--start", "best"}).code, 2);
  EXPECT_EQ(adapt({"--task", "revews"}).code, 66);
}

TEST_F(AdaptTest, ExportSqueezesATask) {
  const cli::Outcome outcome =
      cli::run_program({"export", "--checkpoint", model_, "--output", tuned_, "--task", "mnli"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  LoadedModel dense(tuned_, EngineOptions());
  EXPECT_FALSE(dense.config().routing.num_experts > 1);
  EXPECT_EQ(dense.tasks().names(), std::vector<std::string>{"mnli"});
  const auto code = [&](const std::string& from, const std::string& to, const std::string& task) {
    return cli::run_program({"export", "--checkpoint", from, "--output", to, "--task", task}).code;
  };
  EXPECT_EQ(code(model_, tuned_, "mnli"), 73);  // nothing that is there is written over
  EXPECT_EQ(code(model_, model_, "mnli"), 73);
  EXPECT_EQ(code(model_, tuned_ + "_more", "mnl"), 66);
  EXPECT_EQ(code(tuned_, tuned_ + "_more", "mnli"), 2);
}

}  // namespace
}  // namespace trivium::learning
