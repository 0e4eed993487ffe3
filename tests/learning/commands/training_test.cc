// import, pretrain and train as a user gives them, each on what the one before has made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "cli/commands/program.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "learning/storage/checkpoint.h"
#include "learning/training/toy_gym.h"

namespace trivium::learning {
namespace {

namespace fs = std::filesystem;
using cli::Outcome;
using cli::run_program;
using ::testing::HasSubstr;

const fs::path kGolden = TRIVIUM_TEST_DATA;

class TrainingCommandsTest : public ::testing::Test {
 protected:
  TrainingCommandsTest() { write_toy_gym(folder_); }

  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

  Outcome import_tiny(const std::string& output, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all = {"import", "--from", (kGolden / "tiny_bart").string(),
                                    "--output", output};
    all.insert(all.end(), more.begin(), more.end());
    return run_program(all);
  }

  // A file of settings for `trivium train`.
  std::string training_settings() const {
    return folder_
        .write("train.toml", "[model]\ninit = \"" + path("model") +
                                 "\"\nnum_experts = 2\ntask_vector_dim = 4\n[data]\ngym = \"" +
                                 path("gym") + "\"\nprompts = \"" + path("prompts") +
                                 "\"\nmax_source_length = 32\nmax_target_length = "
                                 "16\n[train]\nsteps = 4\nthreads = 1\n[run]\noutput = \"" +
                                 path("run") + "\"\nsave_every = 2\neval_every = 4\n")
        .string();
  }

  TemporaryFolder folder_;
};

TEST_F(TrainingCommandsTest, ImportMakesACheckpointThatAnswers) {
  ASSERT_EQ(import_tiny(path("model")).code, 0);
  const Outcome answer = run_program(
      {"generate", "--checkpoint", path("model"), "--threads", "1", "--max-length", "5"},
      "hello\n");
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_EQ(cli::json_lines(answer.out).size(), 1u);
  // Copies of its layers as experts, with routes that are stored.
  ASSERT_EQ(import_tiny(path("routed"), {"--num-experts", "2"}).code, 0);
  EXPECT_EQ(open_checkpoint(path("routed")).info.routes->used.at(0).encoder.at(0).size(), 2u);
  const Outcome missing = run_program({"import", "--from", path("nothing"), "--output", path("x")});
  EXPECT_EQ(missing.code, 66);
  EXPECT_THAT(missing.err, HasSubstr(path("nothing")));
  EXPECT_FALSE(fs::exists(path("x")));
}

TEST_F(TrainingCommandsTest, PretrainDenoisesAndGoesOn) {
  ASSERT_EQ(import_tiny(path("model")).code, 0);
  std::string text;
  for (int i = 0; i < 12; ++i) text += "One sentence here. Another one there. And a third.\n";
  const fs::path settings = folder_.write(
      "pretrain.toml", "[model]\ninit = \"" + path("model") + "\"\n[data]\ntext_files = [\"" +
                           folder_.write("text.txt", text).string() +
                           "\"]\neval_paragraphs = 2\n[train]\nsteps = 3\nthreads = 1\n[run]\n"
                           "output = \"" +
                           path("denoised") + "\"\neval_every = 3\n");
  const Outcome outcome = run_program({"pretrain", settings.string()});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NO_THROW(load_checkpoint(path("denoised/last"), Verify::kHashes));
  EXPECT_THAT(read_file(path("denoised/metrics.csv")), HasSubstr("3,dev_score,"));
  EXPECT_EQ(run_program({"pretrain", settings.string()}).code, 73);
  const Outcome more =
      run_program({"pretrain", settings.string(), "--resume", "--set", "train.steps=5"});
  ASSERT_EQ(more.code, 0) << more.err;
  EXPECT_THAT(read_file(path("denoised/metrics.csv")), HasSubstr("5,loss,"));
}

TEST_F(TrainingCommandsTest, TrainLearnsRoutesThatTheProgramShows) {
  ASSERT_EQ(import_tiny(path("model")).code, 0);
  const Outcome outcome = run_program({"train", training_settings()});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Outcome routes =
      run_program({"routes", "show", "--checkpoint", path("run/last"), "--json"});
  ASSERT_EQ(routes.code, 0) << routes.err;
  const Json shown = Json::parse(routes.out);
  ASSERT_EQ(shown.at("tasks").size(), 2u);
  EXPECT_EQ(shown.at("tasks").at(0).at("task"), "first");
  // The same with LibTorch as with the engine, along the stored routes.
  const std::string line = "{\"task\": \"second\", \"input\": \"a b c\"}\n";
  std::vector<std::string> generate = {"generate", "--checkpoint", path("run/last"), "--threads",
                                       "1"};
  const Outcome fast = run_program(generate, line);
  generate.insert(generate.end(), {"--engine", "torch"});
  const Outcome reference = run_program(generate, line);
  ASSERT_EQ(reference.code, 0) << reference.err;
  const Json a = Json::parse(fast.out), b = Json::parse(reference.out);
  EXPECT_EQ(a.at("text"), b.at("text"));
  EXPECT_EQ(a.at("route"), b.at("route"));
  EXPECT_NEAR(a.at("score").get<double>(), b.at("score").get<double>(), 1e-4);
}

TEST_F(TrainingCommandsTest, AResumedTrainingGivesTheSameBytes) {
  ASSERT_EQ(import_tiny(path("model")).code, 0);
  const std::string settings = training_settings();
  ASSERT_EQ(run_program({"train", settings}).code, 0);
  const std::string second = "run.output=" + path("again");
  ASSERT_EQ(run_program({"train", settings, "--set", second, "--set", "run.eval_every=100"}).code,
            0);
  EXPECT_EQ(run_program({"train", settings}).code, 73);
  EXPECT_EQ(run_program({"train", settings, "--resume"}).code, 0);
  EXPECT_EQ(read_file(path("run/last/model.safetensors")),
            read_file(path("again/last/model.safetensors")));
}

TEST_F(TrainingCommandsTest, SettingsAreExplainedAndChecked) {
  const Outcome reference = run_program({"train", "--settings"});
  EXPECT_EQ(reference.code, 0);
  EXPECT_THAT(reference.out, HasSubstr("model.num_experts"));
  const Outcome unknown =
      run_program({"train", training_settings(), "--set", "model.num_expert=2"});
  EXPECT_EQ(unknown.code, 64);
  EXPECT_THAT(unknown.err, HasSubstr("model.num_experts"));
  const Outcome choice = run_program({"train", training_settings(), "--set", "model.router=gur"});
  EXPECT_EQ(choice.code, 64);
  EXPECT_THAT(choice.err, HasSubstr("did you mean gru"));
  EXPECT_EQ(run_program({"train"}).code, 2);
}

// Before anything is read: the start of the settings is not there.
TEST_F(TrainingCommandsTest, SettingsThatCannotBeAreSaidBeforeAnythingIsRead) {
  const std::string file = folder_.write("file", "x").string();
  for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{
           {"model.init=", "model.init is empty"},
           {"run.output=", "run.output is empty"},
           {"run.output=" + file, "is a file"},
           {"data.tasks=[\"first\", \"first\"]", "first is named twice"}}) {
    const Outcome outcome = run_program({"train", training_settings(), "--set", wrong[0]});
    EXPECT_EQ(outcome.code, 64) << wrong[0];
    EXPECT_THAT(outcome.err, HasSubstr(wrong[1]));
  }
}

TEST_F(TrainingCommandsTest, TrainsOnACrossfitFolder) {
  ASSERT_EQ(import_tiny(path("model")).code, 0);
  for (const char* task : {"films_2_100", "books_2_100"}) {
    for (const char* split : {"train", "dev", "test"}) {
      folder_.write(std::string("crossfit/") + task + "_" + split + ".tsv",
                    "a \"b\tyes\nc d\tno\ne\tyes\nf\tno\n");
    }
  }
  const Outcome outcome =
      run_program({"train", training_settings(), "--set", "data.gym=" + path("crossfit"), "--set",
                   "run.output=" + path("crossfit_run")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Outcome tasks =
      run_program({"task", "list", "--checkpoint", path("crossfit_run/last"), "--json"});
  EXPECT_EQ(Json::parse(tasks.out).at("tasks").at(0).at("labels"), Json({"no", "yes"}));
}

// What config show prints is a settings file that comes to the same.
TEST_F(TrainingCommandsTest, ConfigShowSaysWhereEachValueComesFrom) {
  const std::string file = training_settings();
  const std::vector<std::string> show = {"config", "show", "train"};
  const auto shown = [&](std::vector<std::string> more) {
    more.insert(more.begin(), show.begin(), show.end());
    const Outcome outcome = run_program(more);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out;
  };
  const std::string text = shown({file, "--set", "train.seed=7"});
  EXPECT_THAT(text, HasSubstr("num_experts = 2  # " + file + ":3\n"));
  EXPECT_THAT(text, HasSubstr("seed = 7  # --set train.seed=7\n"));
  EXPECT_THAT(text, HasSubstr("label_smoothing = 0.1  # default\n"));
  const auto values = [](const std::string& json) {
    std::map<std::string, Json> by_key;
    const Json object = Json::parse(json);
    for (const Json& setting : object.at("settings")) {
      by_key[setting.at("key").get<std::string>()] = setting.at("value");
    }
    return by_key;
  };
  const std::string again = folder_.write("again.toml", text).string();
  const auto expected = values(shown({file, "--set", "train.seed=7", "--json"}));
  EXPECT_GT(expected.size(), 20u);
  EXPECT_EQ(values(shown({again, "--json"})), expected);
  EXPECT_EQ(run_program({"config", "show", "train", file, "--set", "train.sed=7"}).code, 64);
  EXPECT_EQ(run_program({"config", "show", "tran", file}).code, 2);
}

}  // namespace
}  // namespace trivium::learning
