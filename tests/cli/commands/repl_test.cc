#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "cli/commands/program.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium::cli {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class ReplTest : public ::testing::Test {
 protected:
  ReplTest() { save_checkpoint(tiny_checkpoint(), model_); }
  Outcome repl(const std::string& input, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {"repl", "--checkpoint", model_, "--threads", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments, input);
  }

  TemporaryFolder temporary_;
  std::string model_ = (temporary_.path() / "model").string();
};

TEST_F(ReplTest, APipeGetsAnswersAndRoutesAndNothingElse) {
  const Outcome outcome = repl("a witty film\n/task mnli\n");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err, "");
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("nearest known task: sst2"), HasSubstr("route of sst2"),
                                 HasSubstr("hypothesis follows")));
  // No banner, no prompt, no colour.
  EXPECT_THAT(outcome.out,
              AllOf(Not(HasSubstr("Trivium")), Not(HasSubstr(" > ")), Not(HasSubstr("\x1b"))));
}

TEST_F(ReplTest, ALineThatFailsIsReportedAndTheRestGoesOn) {
  std::string input = "/rute\n\n\xFF\xFE\r\n/task nothing\n";
  input.append(10'000'000, 'x');
  input += "\n/task sst2\na witty film";
  const Outcome outcome = repl(input);
  EXPECT_EQ(outcome.code, 65);
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("error: line 1: unknown command /rute"),
                    HasSubstr("error: line 4: the checkpoint knows no task \"nothing\""),
                    HasSubstr("error: line 5: a line of more than 1 MiB"), Not(HasSubstr("line 2")),
                    Not(HasSubstr("line 3")), Not(HasSubstr("line 7"))));
  EXPECT_THAT(outcome.out, HasSubstr("route of sst2"));
}

TEST_F(ReplTest, SeveralLinesOfAPipeMayBeOnePrompt) {
  const Outcome outcome = repl("\"\"\"\n/quit\na witty film\"\"\"\n/score a | \\\nb\n/show\n");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("log-lik."), HasSubstr("/quit\na witty film\n")));
  const Outcome unended = repl("\"\"\"\na witty film\n");
  EXPECT_EQ(unended.code, 65);
  EXPECT_THAT(unended.err, HasSubstr("the input ends within a prompt of several lines"));
}

TEST_F(ReplTest, QuitEndsBeforeTheRest) {
  const Outcome outcome = repl("/quit\n/rute\n");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out + outcome.err, "");
}

TEST_F(ReplTest, TakesTheTaskOfTheFlag) {
  EXPECT_THAT(repl("a witty film\n", {"--task", "mnli"}).out, HasSubstr("route of mnli"));
  const Outcome outcome = repl("a\n", {"--task", "mnlj"});
  EXPECT_EQ(outcome.code, 66);
  EXPECT_THAT(outcome.err, HasSubstr("did you mean mnli?"));
  EXPECT_EQ(outcome.out, "");
}

TEST_F(ReplTest, AnswersAtOnceToACoProcess) {
  RunningProgram program({"repl", "--checkpoint", model_, "--task", "sst2", "--threads", "1"});
  program.write("/route off\n");
  EXPECT_EQ(program.read_line(), "routes after answers: off");
  const int64_t taken = TaskRoute::main_expert(tiny_checkpoint().info.routes->used[0].encoder[1]);
  const std::string other = std::to_string((taken + 1) % 3 + 1);
  program.write("/pin e2=" + other + "\n");
  EXPECT_THAT(program.read_line(),
              AllOf(StartsWith("encoder 2: expert " + std::to_string(taken + 1) + " "),
                    EndsWith(" expert " + other)));
  program.close_input();
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(ReplTest, ADenseModelHasNoRouteToShow) {
  save_checkpoint(tiny_checkpoint(TinyModel::kDense), model_);
  const Outcome outcome = repl("a witty film\n/route\n");
  EXPECT_EQ(outcome.code, 65);
  EXPECT_THAT(outcome.err, HasSubstr("error: line 2: this model is dense"));
  EXPECT_THAT(outcome.out, Not(HasSubstr("route of")));
}

}  // namespace
}  // namespace trivium::cli
