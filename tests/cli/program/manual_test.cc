#include "cli/program/manual.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "cli/program/completion.h"
#include "cli/program/reference.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"

namespace trivium::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

// A program with `top` and `group inner`; --colour takes one of two, --file a path.
class ManualTest : public testing::Test {
 protected:
  ManualTest() {
    app_.footer("The end.\n.A line that looks like a request \\ of roff.");
    app_.add_flag("-q,--quiet", quiet_, "less");
    CLI::App* top = app_.add_subcommand("top", "the first command");
    top->add_option("--colour", colour_, "which one")->check(CLI::IsMember({"red", "green"}));
    top->add_option("--file", file_, "a path");
    app_.add_subcommand("group", "a group")->add_subcommand("inner", "the second command");
    app_.add_subcommand("secret", "not for users")->group("");
  }

  // What a shell offers for a line whose last word is being typed.
  std::string completed(Shell shell, const std::vector<std::string>& words) {
    const std::string script = (folder_.path() / file_name("trivium", shell)).string();
    std::ofstream(script) << completion_script(app_, "trivium", shell);
    std::string line;
    for (const std::string& word : words) line += " \"" + word + "\"";
    std::string command;
    switch (shell) {
      case Shell::kBash:
        command = "bash -c 'source " + script +
                  "; COMP_WORDS=(trivium \"$@\"); COMP_CWORD=$#; _trivium; "
                  "echo \"${COMPREPLY[*]}\"' bash" +
                  line;
        break;
      case Shell::kZsh:  // what completes is a function of the line editor's
        command =
            "zsh -fc 'compadd() { print -r -- ${(M)@[2,-1]:#${words[CURRENT]}*} }; "
            "_files() { print files }; fpath=($1); autoload -U $1/_*(:t); "
            "words=(trivium \"${@[2,-1]}\"); CURRENT=$#words; _trivium' zsh " +
            folder_.path().string() + line;
        break;
      case Shell::kFish:
        command = "fish --no-config -c 'source " + script +
                  "; complete -C (string join -- \" \" trivium $argv | string collect)' --" + line;
        break;
    }
    command += " >" + (folder_.path() / "out").string();
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    return read_file(folder_.path() / "out");
  }

  static std::string file_name(const std::string& name, Shell shell) {
    return shell == Shell::kZsh ? "_" + name : shell == Shell::kFish ? name + ".fish" : name;
  }

  CLI::App app_{"A program.", "trivium"};
  bool quiet_ = false;
  std::string colour_, file_;
  TemporaryFolder folder_;
};

TEST_F(ManualTest, MarkdownHasEveryCommandAndFlagButHiddenOnes) {
  app_.get_subcommand("top")->add_flag("--bar", quiet_, "a | b <c>");
  app_.get_subcommand("top")->add_flag("--threads", quiet_, "how many");
  const std::string page = markdown_reference(app_);
  EXPECT_THAT(page, HasSubstr("## trivium top\n\nthe first command\n\n| Flag |"));
  EXPECT_THAT(page, HasSubstr("## trivium group inner\n\nthe second command\n"));
  EXPECT_THAT(page, HasSubstr("| `--colour` | one of red, green |  | which one |\n"));
  EXPECT_THAT(page, HasSubstr("| `--threads` |  |  | how many (variable: TRIVIUM_THREADS) |\n"));
  EXPECT_THAT(page, HasSubstr("| `--bar` |  |  | a \\| b \\<c> |\n"));
  EXPECT_THAT(page, Not(HasSubstr("secret")));
  EXPECT_THAT(page, HasSubstr("```\nThe end.\n"));
}

TEST_F(ManualTest, NamesEveryCommandAndFlagButHiddenOnes) {
  const std::string page = man_page(app_, "trivium", "1.2.3");
  EXPECT_THAT(page, HasSubstr(".TH \"TRIVIUM\" 1 \"\" \"trivium 1.2.3\""));
  EXPECT_THAT(page, HasSubstr(".SS trivium top\nthe first command\n"));
  EXPECT_THAT(page, HasSubstr(".SS trivium group inner\n"));
  EXPECT_THAT(page, HasSubstr("\\fB\\-\\-colour\\fR \\fITEXT:{red,green}\\fR\nwhich one\n"));
  EXPECT_THAT(page, HasSubstr("\n\\&.A line that looks like a request \\e of roff.\n"));
  EXPECT_THAT(page, Not(HasSubstr("secret")));
}

TEST_F(ManualTest, WritesTheEndOfTheHelpOnce) {
  const std::string page = man_page(app_, "trivium", "1.2.3");
  EXPECT_EQ(page.find("The end."), page.rfind("The end."));
}

TEST_F(ManualTest, BashCompletesCommandsFlagsAndValues) {
  EXPECT_EQ(completed(Shell::kBash, {"t"}), "top\n");
  EXPECT_EQ(completed(Shell::kBash, {"group", ""}), "inner -h --help -q --quiet\n");
  EXPECT_EQ(completed(Shell::kBash, {"-q", "top", "--co"}), "--colour\n");
  EXPECT_EQ(completed(Shell::kBash, {"top", "--colour", "g"}), "green\n");
  EXPECT_EQ(completed(Shell::kBash, {"top", "--file", "t"}), "\n");  // then names of files
  EXPECT_EQ(completed(Shell::kBash, {"se"}), "\n");
}

TEST_F(ManualTest, ZshCompletesCommandsFlagsAndValues) {
  EXPECT_EQ(completed(Shell::kZsh, {"t"}), "top\n");
  EXPECT_EQ(completed(Shell::kZsh, {"group", ""}), "inner -h --help -q --quiet\n");
  EXPECT_EQ(completed(Shell::kZsh, {"-q", "top", "--co"}), "--colour\n");
  EXPECT_EQ(completed(Shell::kZsh, {"top", "--colour", "g"}), "green\n");
  EXPECT_EQ(completed(Shell::kZsh, {"top", "--file", "t"}), "files\n");
}

TEST_F(ManualTest, FishCompletesCommandsFlagsAndValuesWithTheirMeaning) {
  EXPECT_EQ(completed(Shell::kFish, {"t"}), "top\tthe first command\n");
  EXPECT_EQ(completed(Shell::kFish, {"group", ""}), "inner\tthe second command\n");
  EXPECT_EQ(completed(Shell::kFish, {"-q", "top", "--co"}), "--colour\twhich one\n");
  EXPECT_EQ(completed(Shell::kFish, {"top", "--colour", "g"}), "green\twhich one\n");
  EXPECT_EQ(completed(Shell::kFish, {"se"}), "");
}

TEST_F(ManualTest, HandsOverToTheScriptOfTheTrainingProgram) {
  app_.add_subcommand("train", "only there");
  for (const auto& [name, shell] : kShellNames) {
    std::ofstream(folder_.path() / file_name("trivium-train", shell))
        << completion_script(app_, "trivium-train", shell);
  }
  app_.remove_subcommand(app_.get_subcommand("train"));
  EXPECT_EQ(completed(Shell::kBash, {"tra"}), "train\n");
  EXPECT_EQ(completed(Shell::kZsh, {"tra"}), "train\n");
  EXPECT_EQ(completed(Shell::kFish, {"tra"}), "train\tonly there\n");
}

}  // namespace
}  // namespace trivium::cli
