// Runs that are ended in the middle and gone on with: the result is that of an undisturbed run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "cli/commands/program.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class ResumeTest : public ::testing::Test {
 protected:
  ResumeTest() { save_checkpoint(tiny_checkpoint(), model_); }

  std::vector<std::string> arguments(const std::string& command,
                                     const std::vector<std::string>& more) const {
    std::vector<std::string> all = {command, "--checkpoint", model_, "--threads", "1"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Outcome run(const std::string& command, const std::vector<std::string>& more,
              const std::string& input = "") const {
    return run_program(arguments(command, more), input);
  }

  // Lines of several tasks, with empty and bad ones among them.
  static std::string lines(int count) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      if (i % 97 == 50) {
        text += i % 2 == 0 ? "\n" : "{\"id\":\n";
        continue;
      }
      const Json line = {{"id", i},
                         {"task", i % 3 == 0 ? "sst2" : "mnli"},
                         {"input", "text " + std::to_string(i * 37) + std::string(i % 41, 'x')}};
      text += line.dump() + "\n";
    }
    return text;
  }

  // Starts the command and kills it once its part has so many bytes.
  void kill_on_the_way(const std::vector<std::string>& all, const fs::path& part,
                       uintmax_t bytes) const {
    RunningProgram program(all);
    for (int i = 0; i < 6000 && (!fs::exists(part) || fs::file_size(part) < bytes); ++i) {
      ::usleep(1000);
    }
    program.signal(SIGKILL);
    EXPECT_EQ(program.wait(), 128 + SIGKILL) << "it had ended before";
  }

  TemporaryFolder temporary_;
  std::string model_ = (temporary_.path() / "model").string();
  std::string output_ = (temporary_.path() / "out").string();
  fs::path part_ = output_ + ".part";
};

TEST_F(ResumeTest, AKilledRunBecomesWhatAnUndisturbedOneWrites) {
  const std::string input = temporary_.write("in.jsonl", lines(3000)).string();
  for (const char* command : {"generate", "score"}) {
    const std::vector<std::string> common = {"--input", input, "--batch-size", "8"};
    const auto with = [&](std::vector<std::string> more) {
      more.insert(more.end(), common.begin(), common.end());
      return more;
    };
    const std::string whole = output_ + ".whole";
    const Outcome undisturbed = run(command, with({"--output", whole, "--overwrite"}));
    ASSERT_EQ(undisturbed.code, 65) << "some lines are bad";
    kill_on_the_way(arguments(command, with({"--output", output_})), part_,
                    fs::file_size(whole) / 3);
    ASSERT_FALSE(fs::exists(output_));
    const uintmax_t done = fs::file_size(part_);
    EXPECT_EQ(run(command, with({"--output", output_})).code, 73);
    kill_on_the_way(arguments(command, with({"--output", output_, "--resume"})), part_,
                    std::max(done + 1, fs::file_size(whole) * 2 / 3));
    const Outcome resumed = run(command, with({"--output", output_, "--resume"}));
    EXPECT_EQ(resumed.code, 65) << resumed.err;
    EXPECT_THAT(resumed.err, HasSubstr("lines were done before"));
    EXPECT_EQ(read_file(output_), read_file(whole)) << command;
    for (const char* rest : {".part", ".part.run", ".lock"}) {
      EXPECT_FALSE(fs::exists(output_ + rest)) << rest;
    }
    fs::remove(output_);
  }
}

// A part may end anywhere: in a line, in the middle of a batch, or in what a crash left.
TEST_F(ResumeTest, WhereverThePartEnds) {
  const std::string input = temporary_.write("in.jsonl", lines(200)).string();
  const std::vector<std::string> flags = {"--input",  input,          "--output", output_,
                                          "--resume", "--batch-size", "8"};
  ASSERT_EQ(run("generate", flags).code, 65) << "there is nothing to go on with yet";
  const std::string whole = read_file(output_);
  // The record of the settings is that of a run that was killed.
  fs::rename(output_, output_ + ".whole");
  RunningProgram killed(
      arguments("generate", {"--output", output_, "--input", input, "--batch-size", "8"}));
  while (!fs::exists(output_ + ".part.run")) ::usleep(1000);
  killed.signal(SIGKILL);
  killed.wait();
  const std::string record = read_file(output_ + ".part.run");
  const size_t third_line = whole.find('\n', whole.find('\n', whole.find('\n') + 1) + 1) + 1;
  for (const std::string& part :
       {std::string(), whole.substr(0, 5), whole.substr(0, third_line), whole.substr(0, 9000),
        whole.substr(0, third_line) + std::string(4096, '\0') + "\n", whole}) {
    std::ofstream(part_, std::ios::binary) << part;
    std::ofstream(output_ + ".part.run") << record;
    ASSERT_EQ(run("generate", flags).code, 65);
    EXPECT_EQ(read_file(output_), whole) << part.size();
    fs::remove(output_);
  }
}

TEST_F(ResumeTest, AnotherRunIsNotGoneOnWith) {
  const std::string input = temporary_.write("in.jsonl", lines(20)).string();
  const auto go_on = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all = {"--input", input, "--output", output_, "--resume"};
    all.insert(all.end(), more.begin(), more.end());
    const Outcome outcome = run("generate", all);
    EXPECT_EQ(outcome.code, 73);
    return outcome.err;
  };
  RunningProgram program(arguments("generate", {"--output", output_, "--input", "-"}));
  program.write(lines(3));
  while (!fs::exists(part_) || fs::file_size(part_) == 0) ::usleep(1000);
  EXPECT_THAT(go_on({}), HasSubstr("is being written by another process"));
  program.signal(SIGINT);
  EXPECT_EQ(program.wait(), 130);
  EXPECT_THAT(go_on({}), HasSubstr("--input was "));
  const std::string before = read_file(part_);
  const auto from_pipe = [&](const std::vector<std::string>& more, const std::string& text) {
    std::vector<std::string> all = {"--output", output_, "--resume", "--input", "-"};
    all.insert(all.end(), more.begin(), more.end());
    return run("generate", all, text);
  };
  EXPECT_THAT(from_pipe({"--num-beams", "1"}, lines(3)).err,
              HasSubstr("--num-beams was nothing and is [\"1\"]"));
  EXPECT_THAT(from_pipe({}, "{\"id\":7,\"input\":\"a\"}\n").err,
              HasSubstr("results of another input"));
  EXPECT_THAT(from_pipe({}, lines(2)).err, HasSubstr("holds"));
  EXPECT_EQ(read_file(part_), before) << "what was done is not lost";
  EXPECT_EQ(from_pipe({}, lines(3)).code, 0);
  EXPECT_EQ(json_lines(read_file(output_)).size(), 3u);
  EXPECT_EQ(from_pipe({}, lines(3)).code, 73) << "it is done";
  EXPECT_EQ(run("generate", {"--resume"}).code, 2) << "standard output";
  EXPECT_EQ(run("generate", {"--resume", "--overwrite", "--output", output_}).code, 2);
}

TEST_F(ResumeTest, TwoWritersOfOneOutputAreRefused) {
  RunningProgram program(arguments("generate", {"--output", output_}));
  program.write("{\"input\":\"a film\"}\n");
  while (!fs::exists(part_) || fs::file_size(part_) == 0) ::usleep(1000);
  for (const char* how : {"--overwrite", "--resume"}) {
    const Outcome other = run("score", {"--output", output_, how}, "{\"input\":\"a\"}\n");
    EXPECT_EQ(other.code, 73) << how;
    EXPECT_THAT(other.err, HasSubstr("is being written by another process"));
  }
  program.close_input();
  EXPECT_EQ(program.wait(), 0);
  EXPECT_EQ(json_lines(read_file(output_)).size(), 1u);
  EXPECT_EQ(run("generate", {"--output", output_, "--overwrite"}, "a\n").code, 0);
}

class EvalResumeTest : public ResumeTest {
 protected:
  EvalResumeTest() {
    Json names = Json::array();
    for (int i = 0; i < 40; ++i) {
      const std::string name = "task" + std::to_string(i), folder = "gym/" + name + "/";
      names.push_back(name);
      temporary_.write(folder + "task.json", Json{{"name", name},
                                                  {"family", "made up"},
                                                  {"fields", {"text", "label"}},
                                                  {"inputs", {"text"}},
                                                  {"target", "label"},
                                                  {"labels", {"negative", "positive"}},
                                                  {"metric", "accuracy"}}
                                                 .dump());
      std::string records;
      for (int r = 0; r < 12; ++r) {
        records += Json{{"text", "a film of " + std::to_string(r * i)},
                        {"label", r % 3 == 0 ? "negative" : "positive"}}
                       .dump() +
                   "\n";
      }
      for (const char* file : {"train.jsonl", "dev.jsonl", "test.jsonl"}) {
        temporary_.write(folder + file, records);
      }
    }
    temporary_.write("gym/split.json", Json{{"seen", names}}.dump());
  }
};

TEST_F(EvalResumeTest, AKilledRunBecomesWhatAnUndisturbedOneWrites) {
  const std::vector<std::string> common = {"--gym", (temporary_.path() / "gym").string(), "--json"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), common.begin(), common.end());
    return more;
  };
  const Outcome undisturbed = run("eval", with({}));
  ASSERT_EQ(undisturbed.code, 0) << undisturbed.err;
  kill_on_the_way(arguments("eval", with({"--output", output_})), part_, 1500);
  EXPECT_EQ(run("eval", with({"--output", output_})).code, 73);
  EXPECT_EQ(run("eval", with({"--output", output_, "--resume", "--limit", "3"})).code, 73);
  const Outcome resumed = run("eval", with({"--output", output_, "--resume"}));
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(resumed.out, "");
  EXPECT_THAT(resumed.err, HasSubstr("tasks were done before"));
  EXPECT_EQ(read_file(output_), undisturbed.out);
  EXPECT_FALSE(fs::exists(part_));
  EXPECT_FALSE(fs::exists(output_ + ".part.run"));
}

}  // namespace
}  // namespace trivium::cli
