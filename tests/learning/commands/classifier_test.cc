#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands/program.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"

namespace trivium::learning {
namespace {

using ::testing::HasSubstr;

// A gym of two tasks, one of pairs, whose answer is in the first letter.
void write_gym(const TemporaryFolder& folder) {
  for (const std::string task : {"letters", "pairs"}) {
    const bool pair = task == "pairs";
    folder.write("gym/" + task + "/task.json",
                 "{\"name\": \"" + task + R"(", "family": "f", "metric": "accuracy", "fields": [],
      "inputs": ["text")" +
                     (pair ? ", \"other\"" : "") +
                     R"(], "target": "label", "labels": ["no", "yes"]})");
    std::string lines;
    for (int i = 0; i < 20; ++i) {
      lines += std::string("{\"text\": \"") + (i % 2 ? "a" : "b") +
               " c d\", \"other\": \"e <f>\", " + "\"label\": \"" + (i % 2 ? "yes" : "no") +
               "\"}\n";
    }
    for (const char* split : {"train", "dev", "test"}) {
      folder.write("gym/" + task + "/" + split + ".jsonl", lines);
    }
  }
  folder.write("gym/split.json", R"({"seen": ["letters", "pairs"]})");
}

TEST(ClassifierCommand, TrainsScoresAndShowsGates) {
  const TemporaryFolder folder;
  write_gym(folder);
  const std::string gym = (folder.path() / "gym").string();
  const std::string model = (folder.path() / "model").string();
  const std::string config = folder.write(
      "c.toml",
      "[model]\nnum_experts = 2\n[data]\ntasks = [\"letters\", \"pairs\"]\nmax_length = 16\n"
      "[train]\nsteps = 60\nlearning_rate = 3e-3\nprecision = \"fp32\"\nthreads = 1\n");
  const std::vector<std::string> train = {"classifier",
                                          "train",
                                          config,
                                          "--set",
                                          "model.init=" TRIVIUM_TEST_DATA "/tiny_bert",
                                          "--set",
                                          "data.gym=" + gym,
                                          "--set",
                                          "run.output=" + model};
  std::vector<std::string> dry = train;
  dry.push_back("--dry-run");
  const cli::Outcome plan = cli::run_program(dry);
  ASSERT_EQ(plan.code, 0) << plan.err;
  EXPECT_EQ(Json::parse(plan.out).at("examples"), (Json{{"letters", 20}, {"pairs", 20}}));
  EXPECT_EQ(Json::parse(plan.out).at("steps"), 60);
  EXPECT_FALSE(std::filesystem::exists(model));
  const cli::Outcome trained = cli::run_program(train);
  ASSERT_EQ(trained.code, 0) << trained.err;
  const cli::Outcome refused = cli::run_program(train);
  EXPECT_EQ(refused.code, 73);  // refuses to overwrite
  EXPECT_THAT(refused.err, HasSubstr("--resume"));
  std::vector<std::string> resume = train;
  resume.push_back("--resume");
  const cli::Outcome ended = cli::run_program(resume);
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("is finished: all of its 60 steps are done"));
  resume.insert(resume.end(), {"--set", "train.learning_rate=1e-3"});
  const cli::Outcome other = cli::run_program(resume);
  EXPECT_EQ(other.code, 73);
  EXPECT_THAT(other.err, HasSubstr("train.learning_rate = 0.003 (0.001 is asked for)"));

  const cli::Outcome scored = cli::run_program(
      {"classifier", "eval", "--checkpoint", model, "--gym", gym, "--max-length", "16", "--json"});
  ASSERT_EQ(scored.code, 0) << scored.err;
  const std::vector<Json> lines = cli::json_lines(scored.out);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1].at("task"), "pairs");
  EXPECT_EQ(lines[0].at("examples"), 20);
  EXPECT_GT(lines[0].at("score"), 0.9);

  const std::string tuned = (folder.path() / "tuned").string();
  const cli::Outcome adapted = cli::run_program(
      {"classifier", "adapt", "--checkpoint", model, "--gym", gym, "--task", "letters", "--gates",
       "pairs", "--output", tuned, "--epochs", "1", "--precision", "fp32", "--max-length", "16"});
  ASSERT_EQ(adapted.code, 0) << adapted.err;
  EXPECT_EQ(cli::json_lines(adapted.out).at(0).at("gates"), "pairs");
  EXPECT_EQ(cli::run_program({"classifier", "eval", "--checkpoint", tuned, "--gym", gym}).code, 0);
  EXPECT_EQ(cli::run_program({"classifier", "adapt", "--checkpoint", model, "--gym", gym, "--task",
                              "letters", "--gates", "pears", "--output", tuned + "2"})
                .code,
            66);

  const std::string page = (folder.path() / "gates.html").string();
  const cli::Outcome gates =
      cli::run_program({"classifier", "gates", "--checkpoint", model, "--text", "a b | c", "--gym",
                        gym, "--limit", "1", "--output", page});
  ASSERT_EQ(gates.code, 0) << gates.err;
  EXPECT_THAT(read_file(page), HasSubstr("pairs: b c d"));

  EXPECT_EQ(cli::run_program(
                {"classifier", "eval", "--checkpoint", model, "--gym", gym, "--tasks", "letter"})
                .code,
            66);
  EXPECT_EQ(cli::run_program({"classifier", "eval", "--checkpoint", gym, "--gym", gym}).code, 66);
  EXPECT_EQ(cli::run_program({"generate", "--checkpoint", model}).code, 76);
  EXPECT_EQ(cli::run_program({"classifier", "train"}).code, 2);
}

TEST(ClassifierCommand, ADenseModelHasNoGatesToShow) {
  const TemporaryFolder folder;
  write_gym(folder);
  const std::string model = (folder.path() / "model").string();
  const std::string config =
      folder.write("c.toml",
                   "[model]\nnum_experts = 1\n[data]\ntasks = [\"letters\"]\n[train]\n"
                   "steps = 1\nprecision = \"fp32\"\nthreads = 1\n");
  ASSERT_EQ(
      cli::run_program(
          {"classifier", "train", config, "--set", "model.init=" TRIVIUM_TEST_DATA "/tiny_bert",
           "--set", "data.gym=" + (folder.path() / "gym").string(), "--set", "run.output=" + model})
          .code,
      0);
  const cli::Outcome gates =
      cli::run_program({"classifier", "gates", "--checkpoint", model, "--text", "a", "--output",
                        (folder.path() / "g.html").string()});
  EXPECT_EQ(gates.code, 2);
  EXPECT_THAT(gates.err, HasSubstr("has no token gates"));
}

}  // namespace
}  // namespace trivium::learning
