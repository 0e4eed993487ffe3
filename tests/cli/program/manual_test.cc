#include "cli/program/manual.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "cli/program/completion.h"
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

  // What bash offers for a line whose last word is being typed.
  std::string completed(const std::vector<std::string>& words,
                        const std::string& name = "trivium") {
    std::ofstream(folder_.path() / "script") << bash_completion(app_, name);
    std::string command = "bash -c 'source " + (folder_.path() / "script").string() +
                          "; COMP_WORDS=(trivium \"$@\"); COMP_CWORD=$#; _trivium; "
                          "echo \"${COMPREPLY[*]}\"' bash";
    for (const std::string& word : words) command += " \"" + word + "\"";
    command += " >" + (folder_.path() / "out").string();
    EXPECT_EQ(std::system(command.c_str()), 0);
    return read_file(folder_.path() / "out");
  }

  CLI::App app_{"A program.", "trivium"};
  bool quiet_ = false;
  std::string colour_, file_;
  TemporaryFolder folder_;
};

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
  EXPECT_EQ(completed({"t"}), "top\n");
  EXPECT_EQ(completed({"group", ""}), "inner -h --help -q --quiet\n");
  EXPECT_EQ(completed({"-q", "top", "--co"}), "--colour\n");
  EXPECT_EQ(completed({"top", "--colour", "g"}), "green\n");
  EXPECT_EQ(completed({"top", "--file", "t"}), "\n");  // bash then offers names of files
  EXPECT_EQ(completed({"se"}), "\n");
}

TEST_F(ManualTest, HandsOverToTheScriptOfTheTrainingProgram) {
  app_.add_subcommand("train", "only there");
  std::ofstream(folder_.path() / "trivium-train") << bash_completion(app_, "trivium-train");
  app_.remove_subcommand(app_.get_subcommand("train"));
  EXPECT_EQ(completed({"tra"}), "train\n");
}

}  // namespace
}  // namespace trivium::cli
