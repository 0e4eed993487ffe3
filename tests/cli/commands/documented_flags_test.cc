// Every command and flag is in the help, the man page and the completion alike.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "cli/commands/commands.h"
#include "cli/program/completion.h"
#include "cli/program/manual.h"
#include "core/base/text.h"

namespace trivium::cli {
namespace {

using ::testing::HasSubstr;

class DocumentedFlagsTest : public ::testing::Test {
 protected:
  DocumentedFlagsTest() {
    add_commands(app_, status_);
    page_ = man_page(app_, "trivium", "1");
    completion_ = completion_script(app_, "trivium", Shell::kBash);
  }

  // The page's part on a command: up to the next command's.
  std::string section(const std::string& name) const {
    const size_t begin = page_.find("\n.SS " + escaped(name) + "\n");
    if (begin == std::string::npos) return "";
    return page_.substr(begin, page_.find("\n.S", begin + 4) - begin);
  }
  // What the completion offers behind a command.
  std::vector<std::string> offered(const std::string& path) const {
    const std::string head = "        '" + path + "') words='";
    const size_t begin = completion_.find(head);
    if (begin == std::string::npos) return {};
    const size_t words = begin + head.size();
    return split(completion_.substr(words, completion_.find('\'', words) - words), ' ');
  }
  static std::string escaped(const std::string& text) {
    std::string result;
    for (const char c : text) result += c == '-' ? "\\-" : std::string(1, c);
    return result;
  }

  void expect_documented(const CLI::App& command, const std::string& path) const {
    const std::string page = section("trivium" + path), help = command.help();
    EXPECT_NE(page, "") << path;
    const std::vector<std::string> words = offered(path);
    for (const CLI::Option* option : command.get_options()) {
      for (const std::string& name : option->get_lnames()) {
        const std::string flag = "--" + name;
        EXPECT_THAT(help, HasSubstr(flag)) << path;
        EXPECT_EQ(std::count(words.begin(), words.end(), flag), 1) << path << " " << flag;
        if (name == "help") continue;  // said once, for all commands
        EXPECT_THAT(page, HasSubstr(escaped(flag))) << path;
      }
    }
    for (const CLI::App* inner : shown_commands(command)) {
      EXPECT_EQ(std::count(words.begin(), words.end(), inner->get_name()), 1) << path;
      expect_documented(*inner, path + " " + inner->get_name());
    }
  }

  CLI::App app_{"A program.", "trivium"};
  int status_ = 0;
  std::string page_, completion_;
};

TEST_F(DocumentedFlagsTest, InHelpManualAndCompletion) {
  ASSERT_GE(shown_commands(app_).size(), 12u);
  for (const CLI::App* command : shown_commands(app_)) {
    expect_documented(*command, " " + command->get_name());
  }
}

}  // namespace
}  // namespace trivium::cli
