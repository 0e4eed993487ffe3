// A long walk through the REPL in a pseudo-terminal, by a person's keys: every step says what the
// screen shows then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "cli/commands/terminal_program.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "core/base/text.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kAuto = "auto › ", kMnli = "mnli › ", kGoesOn = "... ", kEnter = "\r";
const std::string kTab = "\t", kUp = "\x1b[A";
const std::string kCtrlA = "\x01", kCtrlC = "\x03", kCtrlD = "\x04", kCtrlG = "\x07";
const std::string kCtrlK = "\x0b", kCtrlR = "\x12";

// What Ctrl-G opens: does what the line asks of it, and notes the file and its mode.
constexpr const char* kEditor = R"(#!/bin/sh
stat -c '%a %n' "$1" > edited
case $(cat "$1") in
  *fail*) exit 3;;
  *several*) printf 'first \nsecond film\n' > "$1";;
  *) printf '/route off\n' > "$1";;
esac
)";

// What stands for trivium-train: learns by putting a task's folder where it belongs, once the file
// "go" is there.
constexpr const char* kTrainer = R"(#!/bin/sh
echo $$ > trainer.new
mv trainer.new trainer
cp "${5#--examples=}" examples 2> /dev/null
if [ "$3" = broken ]; then echo '12:00:00 error the file has no examples' >&2; exit 65; fi
echo '12:00:00 info learning' >&2
while [ ! -e go ]; do sleep 0.02; done
mkdir -p "${4#--checkpoint=}/tasks"
cp -r taught "${4#--checkpoint=}/tasks/$3"
echo "$3: near sst2 1.00"
)";

class ReplWalkTest : public ::testing::Test {
 protected:
  ReplWalkTest() : old_folder_(fs::current_path()) {
    fs::current_path(temporary_.path());
    const TinyCheckpoint checkpoint = tiny_checkpoint();
    routes_ = *checkpoint.info.routes;
    save_checkpoint(checkpoint, "model");
    add_tiny_task("model", "tone");
    fs::rename("model/tasks/tone", "taught");
    for (const auto& [name, text] :
         {std::pair("editor", kEditor), std::pair("trainer.sh", kTrainer)}) {
      ::chmod(temporary_.write(name, text).c_str(), 0700);
    }
  }
  ~ReplWalkTest() override { fs::current_path(old_folder_); }

  // Starts a REPL: the first step.
  void start(const std::string& editor = "./editor") {
    program_ = std::make_unique<TerminalProgram>(
        std::vector<std::string>{"repl", "--checkpoint", "model", "--threads", "1"},
        std::vector<std::pair<std::string, std::string>>{
            {"TERM", "xterm"},
            {"LC_ALL", "C.UTF-8"},
            {"HOME", temporary_.path().string()},
            {"XDG_STATE_HOME", (temporary_.path() / "state").string()},
            {"TRIVIUM_HOME", TRIVIUM_SOURCE_DIR},
            {"TRIVIUM_TRAIN", (temporary_.path() / "trainer.sh").string()},
            {"VISUAL", ""},
            {"EDITOR", editor}});
    EXPECT_THAT(see("\n" + kAuto), HasSubstr("3 tasks"));
  }

  // A step: what was printed until `text` has come.
  std::string see(const std::string& text) {
    ++steps_;
    std::string seen = program_->read_until(text);
    EXPECT_THAT(seen, EndsWith(text)) << "step " << steps_;
    return seen;
  }
  // A step: what comes after `keys` and Enter, until the next prompt.
  std::string enter(const std::string& keys) {
    program_->type(keys + kEnter);
    return see("\n" + prompt_);
  }
  // The same where another prompt follows from now on.
  std::string enter(const std::string& keys, const std::string& prompt) {
    prompt_ = prompt;
    return enter(keys);
  }

  static std::string expert(const std::vector<float>& weights, size_t further = 0) {
    const auto main = static_cast<size_t>(TaskRoute::main_expert(weights));
    return std::to_string((main + further) % weights.size() + 1);
  }

  void wait_for(const fs::path& file) const {
    for (int i = 0; i < 1000 && !fs::exists(file); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ASSERT_TRUE(fs::exists(file)) << file;
  }
  // Whether what stands for trivium-train ends within some seconds.
  static bool trainer_ends() {
    const int process = std::stoi(read_file("trainer"));
    for (int i = 0; i < 500; ++i) {
      if (::kill(process, 0) != 0) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  void walk_through_answers();
  void walk_through_files();
  void walk_through_experts();
  void walk_through_lines();
  void walk_through_the_editor();
  void walk_through_keys();
  void walk_through_teaching();
  void walk_to_the_end();

  fs::path old_folder_;
  TemporaryFolder temporary_;
  ModelRoutes routes_;
  std::unique_ptr<TerminalProgram> program_;
  std::string prompt_ = kAuto;
  int steps_ = 0;
};

void ReplWalkTest::walk_through_answers() {
  EXPECT_THAT(enter("/why"), HasSubstr("no prompt yet"));
  EXPECT_THAT(enter("a witty film"), AllOf(HasSubstr("nearest known task: sst2"),
                                           HasSubstr("route of sst2"), HasSubstr("positive")));
  EXPECT_THAT(enter("/why"), AllOf(HasSubstr("the nearest of the known tasks"),
                                   HasSubstr("Nearest routes, by layers"), HasSubstr("of 3 (")));
  EXPECT_THAT(enter("/score positive | negative | so so"),
              AllOf(HasSubstr("log-lik."), HasSubstr("█"), HasSubstr("so so")));
  EXPECT_THAT(enter("/score positive |"), HasSubstr("write texts with | between them"));
  EXPECT_THAT(enter("/regen"), AllOf(HasSubstr("of the task's answers"), HasSubstr("route of")));
  EXPECT_THAT(enter("/set max_length=8"), HasSubstr("max_length=8 "));
  EXPECT_THAT(enter("/set"), AllOf(HasSubstr("max_length=8 "), HasSubstr("num_beams=2 ")));
  EXPECT_THAT(enter("/set num_beam=3"), HasSubstr("did you mean num_beams"));
  EXPECT_THAT(enter("/route off"), HasSubstr("routes after answers: off"));
  EXPECT_THAT(enter("/tasks mnli"), HasSubstr("1 task; /task NAME"));
  EXPECT_THAT(enter("/task mnli", kMnli), HasSubstr("hypothesis follows"));
  EXPECT_THAT(enter("premise: it rains hypothesis: wet"), HasSubstr("of the task's answers"));
  EXPECT_THAT(enter("/compare sst2 mnli"),
              AllOf(HasSubstr("different experts in"), HasSubstr("sst2:"), HasSubstr("mnli:"),
                    HasSubstr("the last prompt's answers")));
}

void ReplWalkTest::walk_through_experts() {
  const std::vector<float>& used = routes_.used[1].decoder[0];
  const std::string taken = expert(used), other = expert(used, 1);
  EXPECT_THAT(enter("/disable dec.1=" + taken),
              AllOf(HasSubstr("decoder 1: expert " + taken + " → expert "), HasSubstr("without: "),
                    HasSubstr("log-likelihood of the first answer: ")));
  EXPECT_THAT(enter("/disable dec.1=" + other), HasSubstr("without expert " + other + " nothing"));
  EXPECT_THAT(enter("/disable enc.1=1"), HasSubstr("encoder 1 is an ordinary layer"));
  EXPECT_THAT(enter("/pin dec.1=" + other),
              AllOf(HasSubstr("expert " + taken + " → expert " + other), HasSubstr("now: ")));
  EXPECT_THAT(enter("/show"), AllOf(HasSubstr("task      mnli"), HasSubstr("max_length=8"),
                                    HasSubstr("pins      decoder 1 takes expert " + other),
                                    HasSubstr("said      3 exchanges")));
  EXPECT_THAT(enter("/gates"), HasSubstr("has no token gates"));
}

void ReplWalkTest::walk_through_files() {
  EXPECT_THAT(enter("/save talk.jsonl"), HasSubstr("wrote 3 exchanges to talk.jsonl"));
  EXPECT_THAT(enter("/save talk.jsonl"), HasSubstr("/save! talk.jsonl writes over it"));
  EXPECT_THAT(enter("/save! talk.jsonl"), HasSubstr("wrote 3 exchanges to talk.jsonl"));
  EXPECT_THAT(enter("/pin off"), HasSubstr("now: "));
  EXPECT_THAT(enter("/task auto", kAuto), HasSubstr("nearest of 3 tasks"));
  EXPECT_THAT(enter("/set max_length=9"), HasSubstr("max_length=9 "));
  const std::string text = read_file("talk.jsonl");
  EXPECT_THAT(text, AllOf(HasSubstr(R"("task_source":"nearest")"), HasSubstr(R"("answer":)")));
  write_file_atomically("bad.jsonl", text.substr(0, text.find('\n') + 1) + "{\"promp\": 1}\n");
  EXPECT_THAT(enter("/load bad.jsonl"), HasSubstr("bad.jsonl:2: unknown key \"promp\""));
  EXPECT_THAT(enter("/load /dev/zero"), HasSubstr("is no ordinary file"));
  EXPECT_THAT(enter("/load ta" + kTab + "l" + kTab, kMnli),
              AllOf(HasSubstr("read 3 exchanges from talk.jsonl"), HasSubstr("max_length=8"),
                    HasSubstr("pins      decoder 1 takes expert")));
  EXPECT_THAT(enter("/regen"), HasSubstr("of the task's answers")) << "the last prompt is back too";
}

void ReplWalkTest::walk_through_lines() {
  EXPECT_THAT(enter("\"\"\"a prompt", kGoesOn), Not(HasSubstr("error")));
  EXPECT_THAT(enter("/of two lines"), Not(HasSubstr("error")));
  EXPECT_THAT(enter("and a third\"\"\"", kMnli), HasSubstr("of the task's answers"));
  EXPECT_THAT(enter("/show"), HasSubstr("/of two lines"));
  EXPECT_THAT(enter("/score yes | \\", kGoesOn), Not(HasSubstr("error")));
  EXPECT_THAT(enter("no", kMnli), AllOf(HasSubstr("yes"), HasSubstr("no")));
  EXPECT_THAT(enter("to be dropped \\", kGoesOn), Not(HasSubstr("error")));
  program_->type(kCtrlC);
  prompt_ = kMnli;
  EXPECT_THAT(see("\n" + kMnli), Not(HasSubstr("leaves")));
}

void ReplWalkTest::walk_through_the_editor() {
  EXPECT_THAT(enter("/rou" + kCtrlG), HasSubstr("routes after answers: off"));
  const std::string note = read_file("edited");
  EXPECT_THAT(note, HasSubstr("600 "));
  EXPECT_FALSE(fs::exists(std::string(trim(note.substr(4))))) << "the file is removed";
  program_->type("several" + kCtrlG);  // enters them at once
  EXPECT_THAT(see("\n" + kMnli), AllOf(HasSubstr("... second film"), HasSubstr("answers: ")));
  program_->type("fail" + kCtrlG);
  EXPECT_THAT(see("the line stays as it was"), HasSubstr("ended with code 3"));
  EXPECT_THAT(see(kMnli + "fail"), Not(HasSubstr("error"))) << "the line is shown again";
  EXPECT_THAT(enter(kCtrlA + kCtrlK + "/route off"), HasSubstr("routes after answers: off"));
}

void ReplWalkTest::walk_through_keys() {
  EXPECT_THAT(enter(kCtrlR + "max_length=9"), HasSubstr("max_length=9 "));
  EXPECT_THAT(enter(kUp), HasSubstr("max_length=9 "));
  program_->type("/ro" + kTab);
  EXPECT_THAT(see("/route"), HasSubstr("/ro"));
  EXPECT_THAT(enter("brief"), HasSubstr("routes after answers: brief"));
  program_->type("/s" + kTab);
  EXPECT_THAT(see(kMnli + "/s"),
              AllOf(HasSubstr("/save!"), HasSubstr("/score"), HasSubstr("/show")));
  EXPECT_THAT(enter("et max_l" + kTab + "7"), HasSubstr("max_length=7 ")) << "no space behind =";
  EXPECT_THAT(enter("/rgen"), HasSubstr("did you mean /regen"));
  EXPECT_THAT(enter("//etc/passwd is a file"), HasSubstr("of the task's answers"));
  EXPECT_THAT(enter("/show"), HasSubstr("prompt    /etc/passwd is a file"));
  EXPECT_THAT(enter("/history"), HasSubstr("/save! talk.jsonl"));
  EXPECT_THAT(enter("/help"), AllOf(HasSubstr("/disable enc|dec"), HasSubstr("Ctrl-G opens")));
  EXPECT_THAT(enter("/help disable"), HasSubstr("the task's next likeliest"));
}

void ReplWalkTest::walk_through_teaching() {
  EXPECT_THAT(enter("/teach"), HasSubstr("nothing is being taught"));
  EXPECT_THAT(enter("/teach a/b"), HasSubstr("is no name for a task"));
  EXPECT_THAT(enter("/teach sst2"), HasSubstr("knows a task sst2 already"));
  EXPECT_THAT(enter("/teach tone nowhere.jsonl"), HasSubstr("no file nowhere.jsonl"));
  EXPECT_THAT(enter("/teach broken talk.jsonl"), HasSubstr("teaching broken; go on asking"));
  EXPECT_THAT(see("(exit code 65)\n" + kMnli), HasSubstr("broken is not learned: the file has no"));
  EXPECT_THAT(enter("/teach tone", "example 1 › "), HasSubstr("Type examples as INPUT => ANSWER"));
  EXPECT_THAT(enter("thank you => friendly", "example 2 › "), Not(HasSubstr("error")));
  EXPECT_THAT(enter("no arrow"), HasSubstr("write INPUT => ANSWER"));
  EXPECT_THAT(enter("get lost => rude", "example 3 › "), Not(HasSubstr("error")));
  EXPECT_THAT(enter("", kMnli), HasSubstr("teaching tone; go on asking meanwhile"));
  EXPECT_THAT(see("learning"), HasSubstr("teaching tone ("));
  EXPECT_THAT(enter("premise: it rains hypothesis: wet"), HasSubstr("of the task's answers"));
  EXPECT_THAT(enter("/teach more talk.jsonl"), HasSubstr("tone is being taught"));
  EXPECT_EQ(read_file("examples"),
            "{\"inputs\":\"thank you\",\"targets\":\"friendly\"}\n"
            "{\"inputs\":\"get lost\",\"targets\":\"rude\"}\n");
  program_->type("/task to");
  program_->read_until("/task to");
  write_file_atomically("go", "");
  EXPECT_THAT(see("/task tone asks it."),
              AllOf(HasSubstr("tone: near sst2 1.00"), HasSubstr("The model knows tone now")));
  EXPECT_THAT(enter("ne", "tone › "), HasSubstr("tone")) << "the line that was begun goes on";
  EXPECT_THAT(enter("you are kind"), AllOf(HasSubstr("route of tone"), HasSubstr("answers: ")));
  fs::remove("go");
  fs::remove("trainer");
  EXPECT_THAT(enter("/teach slow talk.jsonl"), HasSubstr("teaching slow"));
  wait_for("trainer");
  EXPECT_THAT(enter("/teach off"), HasSubstr("stopped; slow is not learned"));
  EXPECT_TRUE(trainer_ends());
}

void ReplWalkTest::walk_to_the_end() {
  EXPECT_THAT(enter("/set sample=true"), HasSubstr("sample=true"));
  EXPECT_THAT(enter("/regen"), HasSubstr("(seed=1)"));
  EXPECT_THAT(enter("/regen"), HasSubstr("(seed=2)"));
  EXPECT_THAT(enter("/clear"), HasSubstr("what was said is forgotten"));
  EXPECT_THAT(program_->raw(), HasSubstr("\x1b[2J"));
  EXPECT_THAT(enter("/regen"), HasSubstr("no prompt yet"));
  fs::remove("trainer");
  EXPECT_THAT(enter("/teach slow talk.jsonl"), HasSubstr("teaching slow"));
  wait_for("trainer");
  program_->type(kCtrlC);
  EXPECT_THAT(see("\n" + prompt_), HasSubstr("Ctrl-C again leaves"));
  program_->type(kCtrlC);
  EXPECT_EQ(program_->wait(), 130);
  EXPECT_TRUE(program_->echoes());
  EXPECT_TRUE(trainer_ends()) << "leaving ends what is taught";
}

TEST_F(ReplWalkTest, EveryStepShowsWhatItShould) {
  const auto begin = std::chrono::steady_clock::now();
  start();
  walk_through_answers();
  walk_through_experts();
  walk_through_files();
  walk_through_lines();
  walk_through_the_editor();
  walk_through_keys();
  walk_through_teaching();
  walk_to_the_end();
  EXPECT_GE(steps_, 60);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));
}

TEST_F(ReplWalkTest, AMissingEditorIsOneLineAndCtrlDLeaves) {
  start("");
  program_->type("a fil" + kCtrlG);
  EXPECT_THAT(see("starts\n"), HasSubstr("error: no editor is named; set VISUAL or EDITOR"));
  EXPECT_THAT(enter("m"), HasSubstr("route of sst2")) << "the line that was begun goes on";
  program_->type(kCtrlD);
  EXPECT_EQ(program_->wait(), 0);
  start("no-such-editor");
  program_->type("x" + kCtrlG);
  EXPECT_THAT(see("that is there"), HasSubstr("cannot start the editor no-such-editor"));
}

TEST_F(ReplWalkTest, WithoutTriviumTrainOneLineSaysWhatBuildsIt) {
  fs::remove("trainer.sh");
  start();
  EXPECT_THAT(enter("/teach tone"), HasSubstr("tools/trivium builds it"));
}

}  // namespace
}  // namespace trivium::cli
