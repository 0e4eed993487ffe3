// import, pretrain and train as a user gives them, each on what the one before has made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <map>
#include <thread>

#include "cli/commands/program.h"
#include "core/base/file.h"
#include "core/base/file_lock.h"
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
  const Outcome finished = run_program({"pretrain", settings.string(), "--resume"});
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_THAT(finished.err, HasSubstr("is finished: all of its 3 steps are done"));
  // Another training is another run.
  for (const char* change : {"train.steps=5", "train.seed=1", "data.mask_ratio=0.5"}) {
    const Outcome other = run_program({"pretrain", settings.string(), "--resume", "--set", change});
    EXPECT_EQ(other.code, 73) << change;
    EXPECT_THAT(other.err, HasSubstr(std::string(change).substr(0, 8)));
  }
  folder_.write("text.txt", text + "One more sentence, which was not there before, at the end.\n");
  const Outcome data = run_program({"pretrain", settings.string(), "--resume"});
  EXPECT_EQ(data.code, 73);
  EXPECT_THAT(data.err, HasSubstr("other data"));
}

// SIGHUP and SIGQUIT as SIGTERM: saved, 75, and --resume, which may stand there from the first time
// on, comes to the same bytes.
TEST_F(TrainingCommandsTest, SignalsSaveWhatResumeGoesOnWith) {
  ASSERT_EQ(import_tiny(path("model")).code, 0);
  const std::string settings = training_settings();
  const auto arguments = [&](const std::string& output) {
    std::vector<std::string> all = {"train", settings, "--resume"};
    for (const std::string change :
         {"train.steps=100", "run.log_every=1", "run.eval_every=100", "run.save_every=100"}) {
      all.insert(all.end(), {"--set", change});
    }
    all.insert(all.end(), {"--set", "run.output=" + output});
    return all;
  };
  ASSERT_EQ(run_program(arguments(path("straight"))).code, 0);
  for (const int signal : {SIGHUP, SIGQUIT, SIGTERM}) {
    const std::string output = path("stopped" + std::to_string(signal));
    cli::RunningProgram program(arguments(output));
    for (int i = 0; i < 6000 && !fs::exists(output + "/metrics.csv"); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    program.signal(signal);
    EXPECT_EQ(program.wait(), 75) << signal;
    const Outcome resumed = run_program(arguments(output));
    EXPECT_EQ(resumed.code, 0) << resumed.err;
    for (const char* file : {"last/model.safetensors", "last/training.safetensors", "metrics.csv",
                             "routes.jsonl", "best/model.safetensors"}) {
      EXPECT_EQ(read_file(fs::path(output) / file), read_file(path("straight") + "/" + file))
          << file;
    }
  }
}

TEST_F(TrainingCommandsTest, ADryRunSaysWhatATrainingTakesAndWritesNothing) {
  ASSERT_EQ(import_tiny(path("model")).code, 0);
  std::string text;
  for (int i = 0; i < 10; ++i) text += "One sentence here. Another one there. And a third.\n";
  const std::string pretrain =
      folder_
          .write("pretrain.toml", "[model]\ninit = \"" + path("model") +
                                      "\"\n[data]\ntext_files = [\"" +
                                      folder_.write("text.txt", text).string() +
                                      "\"]\neval_paragraphs = 2\n[train]\nsteps = 3\nthreads = "
                                      "1\n[run]\noutput = \"" +
                                      path("run") + "\"\n")
          .string();
  const std::string train = training_settings();
  const auto files = [&] {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
      if (entry.is_regular_file()) all[entry.path().string()] = read_file(entry.path());
    }
    return all;
  };
  const auto before = files();
  const auto plan = [&](std::vector<std::string> arguments) {
    arguments.emplace_back("--dry-run");
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return Json::parse(outcome.out);
  };
  const Json two =
      plan({"train", train, "--set", "second_stage.steps=5", "--set", "train.accumulation=2"});
  EXPECT_EQ(two.at("examples"), (Json{{"first", 2}, {"second", 2}}));
  EXPECT_EQ(two.at("steps"), 4);
  EXPECT_EQ(two.at("second_stage").at("steps"), 5);
  EXPECT_EQ(two.at("epochs").get<double>(),
            8 / std::max(1.0, two.at("batches_an_epoch").get<double>()));
  const int64_t parameters = two.at("parameters");
  const Json& bytes = two.at("bytes");
  EXPECT_EQ(bytes.at("weights"), 4 * parameters);
  EXPECT_EQ(bytes.at("gradients"), 4 * two.at("trained_parameters").get<int64_t>());
  EXPECT_EQ(bytes.at("optimiser"), 2 * bytes.at("gradients").get<int64_t>());
  EXPECT_GT(bytes.at("activations"), 0);
  EXPECT_GT(two.at("seconds_a_step"), 0);
  EXPECT_LE(two.at("trained_parameters"), parameters);
  const Json text_plan = plan({"pretrain", pretrain});
  EXPECT_EQ(text_plan.at("examples"), (Json{{"paragraphs", 8}, {"held_out", 2}}));
  EXPECT_GT(parameters, text_plan.at("parameters"));  // two experts and a router
  EXPECT_EQ(files(), before);
  // Also beside a training that is there, or that is going on.
  ASSERT_EQ(run_program({"train", train}).code, 0);
  const auto trained = files();
  const FileLock lock(path("run"));
  plan({"train", train});
  plan({"pretrain", pretrain});
  std::map<std::string, std::string> after = files();
  after.erase(path("run") + ".lock");
  EXPECT_EQ(after, trained);
}

TEST_F(TrainingCommandsTest, ASecondTrainerOfOneRunIsRefused) {
  ASSERT_EQ(import_tiny(path("model")).code, 0);
  const FileLock first(path("run"));
  for (const char* more : {"", "--resume"}) {
    std::vector<std::string> arguments = {"train", training_settings()};
    if (*more != 0) arguments.emplace_back(more);
    const Outcome second = run_program(arguments);
    EXPECT_EQ(second.code, 73);
    EXPECT_THAT(second.err, HasSubstr("is being written by another process"));
  }
  EXPECT_FALSE(fs::exists(path("run")));
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
