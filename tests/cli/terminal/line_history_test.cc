#include "cli/terminal/line_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/base/file.h"

namespace trivium::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LineHistoryTest : public ::testing::Test {
 protected:
  LineHistoryTest() {
    std::string name = (fs::temp_directory_path() / "trivium_XXXXXX").string();
    folder_ = mkdtemp(name.data());
    file_ = folder_ / "state" / "history";
  }
  ~LineHistoryTest() override { fs::remove_all(folder_); }

  static unsigned mode_of(const fs::path& path) {
    return static_cast<unsigned>(fs::status(path).permissions());
  }

  fs::path folder_, file_;
};

TEST_F(LineHistoryTest, KeepsLinesBetweenSessionsForTheUserAlone) {
  {
    LineHistory history(file_);
    history.add("one");
    history.add("one");
    history.add("zwei ü");
    EXPECT_EQ(history.problem(), "");
  }
  EXPECT_EQ(mode_of(file_), 0600u);
  EXPECT_EQ(mode_of(file_.parent_path()), 0700u);
  LineHistory history(file_);
  EXPECT_THAT(history.lines(), ElementsAre("one", "zwei ü"));
}

TEST_F(LineHistoryTest, ClosesAFileThatWasOpenToOthersAndMakesItSafe) {
  fs::create_directories(file_.parent_path());
  std::ofstream(file_) << "a\n\n\x1b[2Jb\n" << std::string(100000, 'x') << "\nc\n";
  fs::permissions(file_, fs::perms::all);
  LineHistory history(file_);
  EXPECT_THAT(history.lines(), ElementsAre("a", "\xEF\xBF\xBD[2Jb", "c"));
  EXPECT_EQ(mode_of(file_), 0600u);
}

TEST_F(LineHistoryTest, StaysSmall) {
  fs::create_directories(file_.parent_path());
  {
    std::ofstream stream(file_);
    for (int i = 0; i < 4001; ++i) stream << "line " << i << '\n';
  }
  LineHistory history(file_);
  EXPECT_EQ(history.lines().size(), 2000u);
  EXPECT_EQ(history.lines().back(), "line 4000");
  EXPECT_THAT(read_file(file_), ::testing::StartsWith("line 2001\n"));
  EXPECT_EQ(mode_of(file_), 0600u);
}

TEST_F(LineHistoryTest, GoesOnWithoutAFile) {
  std::ofstream(folder_ / "state") << "a file where the folder should be";
  LineHistory history(file_);
  EXPECT_THAT(history.problem(), HasSubstr("no history is kept"));
  history.add("one");
  EXPECT_THAT(history.lines(), ElementsAre("one"));
  EXPECT_THAT(LineHistory("").lines(), IsEmpty());
}

TEST_F(LineHistoryTest, LiesInTheStateFolder) {
  setenv("XDG_STATE_HOME", "/state", 1);
  EXPECT_EQ(LineHistory::default_file(), "/state/trivium/history");
  unsetenv("XDG_STATE_HOME");
  setenv("HOME", "/home/someone", 1);
  EXPECT_EQ(LineHistory::default_file(), "/home/someone/.local/state/trivium/history");
}

}  // namespace
}  // namespace trivium::cli
