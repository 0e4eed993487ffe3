#include "cli/program/given_paths.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "cli/program/home.h"
#include "core/base/temporary_folder.h"

namespace trivium::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(GivenPathsTest, AFolderCanBeMadeWhereNoFileIsInTheWay) {
  TemporaryFolder folder;
  const std::string file = folder.write("file", "x").string();
  const auto error = [](const std::string& path) {
    return error_of([&] { check_output_folder(path, "run.output"); });
  };
  EXPECT_EQ(error(folder.path().string()), "");
  EXPECT_EQ(error((folder.path() / "new" / "newer").string()), "");
  EXPECT_EQ(error("relative/folder"), "");
  EXPECT_EQ(error(""), "64: run.output is empty; name the folder to write");
  EXPECT_THAT(error(file), AllOf(StartsWith("64: run.output: "), HasSubstr("is a file")));
  EXPECT_THAT(error(file + "/below/it"), AllOf(StartsWith("64: "), HasSubstr(file + " is a file")));
}

TEST(GivenPathsTest, AFileCanBeMadeWhereNoFolderIs) {
  TemporaryFolder folder;
  const auto error = [](const std::string& path) {
    return error_of([&] { check_output_file(path, "--output"); });
  };
  EXPECT_EQ(error((folder.path() / "new").string()), "");
  EXPECT_EQ(error("new"), "");
  EXPECT_THAT(error(""), StartsWith("64: --output is empty"));
  EXPECT_THAT(error(folder.path().string()), HasSubstr("is a folder; name a file"));
  EXPECT_THAT(error(folder.write("file", "x").string() + "/x"), HasSubstr("is a file"));
}

TEST(GivenPathsTest, TheNameSaysWhatIsWritten) {
  const auto error = [](const std::string& path) {
    return error_of([&] { check_ending(path, {".html", ".svg"}, "--output"); });
  };
  EXPECT_EQ(error("a.html"), "");
  EXPECT_EQ(error("a.svg"), "");
  EXPECT_EQ(error("-"), "");
  EXPECT_EQ(error("/dev/null"), "");
  EXPECT_EQ(error("a.png"), "2: --output a.png: end the name in .html or .svg");
  EXPECT_THAT(error_of([] { check_start("", "model.init"); }),
              AllOf(StartsWith("64: model.init is empty"), HasSubstr("--set model.init=FOLDER")));
  EXPECT_EQ(error_of([] { check_start("anything", "model.init"); }), "");
}

// A shipped settings file names shipped files; they are found from any folder.
TEST(GivenPathsTest, RelativePathsAreLookedForInTheHomeFolderToo) {
  TemporaryFolder home;
  home.write("configs/study/a.toml", "x");
  ::setenv("TRIVIUM_HOME", home.path().c_str(), 1);
  EXPECT_EQ(shipped_or_own("configs/study/a.toml"), home.path() / "configs/study/a.toml");
  EXPECT_EQ(shipped_or_own("configs/none.toml"), "configs/none.toml");
  EXPECT_EQ(shipped_or_own("/nowhere/a.toml"), "/nowhere/a.toml");
  EXPECT_EQ(shipped_or_own("."), ".");  // is there, from here
  ::unsetenv("TRIVIUM_HOME");
}

}  // namespace
}  // namespace trivium::cli
