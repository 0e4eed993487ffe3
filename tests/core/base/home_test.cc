#include "core/base/home.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "core/base/error.h"
#include "core/base/temporary_folder.h"

namespace trivium {
namespace {

class HomeTest : public testing::Test {
 protected:
  void SetUp() override { ::unsetenv("TRIVIUM_HOME"); }
  void TearDown() override { ::unsetenv("TRIVIUM_HOME"); }
  std::filesystem::path folder(const std::string& name) const {
    std::filesystem::create_directories(folder_.path() / name);
    return folder_.path() / name;
  }
  TemporaryFolder folder_;
};

TEST_F(HomeTest, IsShareOfThePrefixWhereTheProgramIsInstalled) {
  folder("usr/share/trivium/prompts");
  EXPECT_EQ(home_folder(folder("usr/bin")), folder_.path() / "usr/share/trivium");
  EXPECT_EQ(home_folder(folder("usr/lib/x86_64-linux-gnu")), folder_.path() / "usr/share/trivium");
}

TEST_F(HomeTest, IsTheSourceTreeAroundABuildFolder) {
  folder("tree/prompts");
  folder("tree/checkpoints");
  EXPECT_EQ(home_folder(folder("tree/build/src")), folder_.path() / "tree");
}

TEST_F(HomeTest, IsWhatTheEnvironmentSaysBeforeAll) {
  folder("usr/share/trivium/prompts");
  ::setenv("TRIVIUM_HOME", "/elsewhere", 1);
  EXPECT_EQ(home_folder(folder("usr/bin")), "/elsewhere");
}

TEST_F(HomeTest, AProgramAloneSaysWhatItMisses) {
  try {
    home_folder(folder("bin"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kMissingInput);
  }
}

}  // namespace
}  // namespace trivium
