// The REPL in a pseudo-terminal: what a person's keys do. What the lines themselves do is tested in
// tests/cli/repl; here commands whose answers are known tell which line was entered.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "cli/commands/terminal_program.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium::cli {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kPrompt = "auto › ", kEnter = "\r", kUp = "\x1b[A", kLeft = "\x1b[D";
const std::string kBackspace = "\x7f", kCtrlA = "\x01", kCtrlC = "\x03", kCtrlD = "\x04";

class ReplTerminalTest : public ::testing::Test {
 protected:
  ReplTerminalTest() { save_checkpoint(tiny_checkpoint(), temporary_.path() / "model"); }

  // A REPL that has printed its first prompt.
  std::unique_ptr<TerminalProgram> start(const std::vector<std::string>& more = {},
                                         const std::string& locale = "C.UTF-8",
                                         const std::string& prompt = kPrompt) {
    std::vector<std::string> arguments = {"repl", "--checkpoint",
                                          (temporary_.path() / "model").string(), "--threads", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    auto program = std::make_unique<TerminalProgram>(
        arguments, std::vector<std::pair<std::string, std::string>>{
                       {"TERM", "xterm"},
                       {"LC_ALL", locale},
                       {"LC_CTYPE", ""},
                       {"LANG", ""},
                       {"HOME", temporary_.path().string()},
                       {"XDG_STATE_HOME", (temporary_.path() / "state").string()}});
    banner_ = program->read_until(prompt);
    return program;
  }

  // What comes after `keys` and Enter, until the next prompt.
  static std::string enter(TerminalProgram& program, const std::string& keys,
                           const std::string& prompt = kPrompt) {
    program.type(keys + kEnter);
    return program.read_until("\n" + prompt);
  }

  std::string history() const {
    return read_file(temporary_.path() / "state" / "trivium" / "history");
  }

  TemporaryFolder temporary_;
  std::string banner_;
};

TEST_F(ReplTerminalTest, GreetsAndAnswersWhatIsTyped) {
  const auto program = start();
  EXPECT_THAT(banner_, AllOf(HasSubstr("3 tasks"), HasSubstr("/help"), EndsWith(kPrompt)));
  const std::string answer = enter(*program, "a witty film");
  EXPECT_THAT(answer, AllOf(HasSubstr("nearest known task: sst2"), HasSubstr("route of sst2")));
  EXPECT_THAT(enter(*program, "/task mnli", "mnli › "), HasSubstr("hypothesis follows"));
  EXPECT_THAT(enter(*program, "/rute", "mnli › "), HasSubstr("did you mean /route"));
  program->type("/quit" + kEnter);
  EXPECT_EQ(program->wait(), 0);
  EXPECT_TRUE(program->echoes()) << "the terminal is as it was";
}

TEST_F(ReplTerminalTest, ALineIsEditedBeforeItIsEntered) {
  const auto program = start();
  // A wrong last letter; a letter that is missing in the middle; a beginning that is missing.
  EXPECT_THAT(enter(*program, "/route ofx" + kBackspace + "f"),
              HasSubstr("routes after answers: off"));
  EXPECT_THAT(enter(*program, "/rute brief" + kLeft + kLeft + kLeft + kLeft + kLeft + kLeft +
                                  kLeft + kLeft + kLeft + "o"),
              HasSubstr("routes after answers: brief"));
  EXPECT_THAT(enter(*program, "oute full" + kCtrlA + "/r"),
              HasSubstr("routes after answers: full"));
  EXPECT_EQ(history(), "/route off\n/route brief\n/route full\n");
}

TEST_F(ReplTerminalTest, ArrowsBringBackEarlierLinesOfThisSessionAndTheLast) {
  {
    const auto program = start();
    enter(*program, "/set max_length=7");
    enter(*program, "/route off");
    EXPECT_THAT(enter(*program, kUp), HasSubstr("routes after answers: off"));
    EXPECT_THAT(enter(*program, kUp + kUp), HasSubstr("max_length=7 "));
    program->type(kCtrlD);
    EXPECT_EQ(program->wait(), 0);
  }
  const auto next = start();
  EXPECT_THAT(enter(*next, kUp + kBackspace + "9"), HasSubstr("max_length=9 "));
  const auto silent = start({"--no-history"});
  EXPECT_THAT(enter(*silent, kUp + "/set seed=5"), HasSubstr("seed=5"));
  EXPECT_THAT(history(), Not(HasSubstr("seed=5")));
}

TEST_F(ReplTerminalTest, APasteOfSeveralLinesIsOneLineThatWaitsForEnter) {
  const auto program = start();
  EXPECT_THAT(program->raw(), HasSubstr("\x1b[?2004h")) << "the terminal is asked to mark pastes";
  program->type("\x1b[200~/set max_length=8\nsample=true\r\nseed=3\x1b[201~");
  // Nothing was entered yet: what is typed goes on behind it.
  EXPECT_THAT(enter(*program, " top_k=4"),
              AllOf(HasSubstr("max_length=8 "), HasSubstr("sample=true"), HasSubstr("seed=3"),
                    HasSubstr("top_k=4")));
  EXPECT_EQ(history(), "/set max_length=8 sample=true  seed=3 top_k=4\n");
}

TEST_F(ReplTerminalTest, APasteIntoTheSearchIsWhatIsSearched) {
  const auto program = start();
  enter(*program, "/set max_length=7");
  enter(*program, "/route off");
  EXPECT_THAT(enter(*program, "\x12\x1b[200~max_l\x1b[201~"), HasSubstr("max_length=7 "));
  EXPECT_EQ(history(), "/set max_length=7\n/route off\n/set max_length=7\n");
}

TEST_F(ReplTerminalTest, CtrlCInAPasteDropsItAndStopsNothingElse) {
  const auto program = start();
  program->type("\x1b[200~half a paste");
  // Ctrl-C drops what the terminal has not handed on yet: the program is to have begun the paste.
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  program->type(kCtrlC);
  program->read_until("\n" + kPrompt);
  EXPECT_THAT(enter(*program, "a witty film"),
              AllOf(HasSubstr("route of sst2"), Not(HasSubstr("(stopped)"))));
  EXPECT_EQ(history(), "a witty film\n");
}

// Containers have no locale, or POSIX.
TEST_F(ReplTerminalTest, LettersAreReadWhateverTheLocale) {
  for (const char* locale : {"", "POSIX"}) {
    const std::string prompt = "auto > ";
    const auto program = start({}, locale, prompt);
    EXPECT_THAT(enter(*program, "/task caf\u00E9\u65E5\u672Cx", prompt),
                HasSubstr("no task \"caf\u00E9\u65E5\u672Cx\""))
        << locale;
  }
}

TEST_F(ReplTerminalTest, AByteThatIsNoCharacterTakesNoneOfItsNeighbours) {
  const auto program = start();
  EXPECT_THAT(enter(*program,
                    "/task a\xE9"
                    "bc\x80"
                    "d\xF0\x9F"
                    "e\u00E9"),
              HasSubstr("no task \"a\uFFFDbc\uFFFDd\uFFFDe\u00E9\""));
}

TEST_F(ReplTerminalTest, CtrlCDropsALineAndTwiceOnAnEmptyOneLeaves) {
  const auto program = start();
  program->type("/route off" + kCtrlC);
  program->read_until("\n" + kPrompt);
  EXPECT_THAT(enter(*program, "/set max_length=6"), HasSubstr("max_length=6 "))
      << "what was typed before is gone";
  program->type(kCtrlC);
  EXPECT_THAT(program->read_until("\n" + kPrompt), HasSubstr("Ctrl-C again leaves"));
  enter(*program, "/route off");
  program->type(kCtrlC);
  EXPECT_THAT(program->read_until("\n" + kPrompt), HasSubstr("Ctrl-C again leaves"))
      << "a line in between takes the first one back";
  program->type(kCtrlC);
  EXPECT_EQ(program->wait(), 130);
  EXPECT_TRUE(program->echoes());
  EXPECT_EQ(history(), "/set max_length=6\n/route off\n");
}

TEST_F(ReplTerminalTest, TabCompletesCommandsAndNames) {
  const auto program = start();
  program->type("/ta\t");
  program->read_until("/task");
  program->type("\t");
  EXPECT_THAT(program->read_until("/tasks"), HasSubstr("/task"));
  // A name that only one task has is completed, with a space behind it.
  EXPECT_THAT(enter(*program, " mn\t", "mnli › "), HasSubstr("hypothesis follows"));
  EXPECT_EQ(history(), "/task mnli \n");
}

TEST_F(ReplTerminalTest, ASignalLeavesTheTerminalInOrder) {
  const auto program = start();
  EXPECT_FALSE(program->echoes()) << "the editor shows what is typed";
  program->type("half a li");
  program->read_until("li");
  program->signal(SIGTERM);
  EXPECT_EQ(program->wait(), 128 + SIGTERM);
  EXPECT_TRUE(program->echoes());
}

}  // namespace
}  // namespace trivium::cli
