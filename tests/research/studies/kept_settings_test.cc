#include "research/studies/kept_settings.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"

namespace trivium::research {
namespace {

class KeptSettingsTest : public ::testing::Test {
 protected:
  bool agrees(const std::string& text) const {
    try {
      keep_settings(folder_.path() / "run" / "settings.toml", text);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kConfig);
      return false;
    }
    return true;
  }
  const TemporaryFolder folder_;
};

TEST_F(KeptSettingsTest, AreWrittenOnceAndThenCompared) {
  const std::string text = "[a]\nsteps = 3\nname = \"x\"\n\n[b]\nsteps = 4\n";
  EXPECT_TRUE(agrees(text));
  EXPECT_EQ(read_file(folder_.path() / "run" / "settings.toml"), text);
  EXPECT_TRUE(agrees(text));
  EXPECT_FALSE(agrees("[a]\nsteps = 4\nname = \"x\"\n\n[b]\nsteps = 4\n"));
  EXPECT_FALSE(agrees("[a]\nsteps = 3\nname = \"x\"\n\n[b]\nsteps = 3\n"));
  EXPECT_EQ(read_file(folder_.path() / "run" / "settings.toml"), text);
}

TEST_F(KeptSettingsTest, OnlyEmptySettingsComeAndGo) {
  ASSERT_TRUE(agrees("[a]\nsteps = 3\ntried = []\nplace = ''\n"));
  EXPECT_TRUE(agrees("[a]\nsteps = 3\nplan = \"\"\n"));
  EXPECT_FALSE(agrees("[a]\nsteps = 3\nplan = \"p\"\n"));  // came with a value
  EXPECT_FALSE(agrees("[a]\n"));                           // went with a value
  EXPECT_FALSE(agrees("[a]\nsteps = 3\nplace = 'here'\n"));
}

TEST_F(KeptSettingsTest, TheSameNumberMayBeWrittenOtherwise) {
  EXPECT_TRUE(agrees("[train]\nrate = 0.10000000000000001\nlist = [1e-05, 2.0]\n"));
  EXPECT_TRUE(agrees("[train]\nrate = 0.1\nlist = [0.00001, 2.0]\n"));
  EXPECT_FALSE(agrees("[train]\nrate = 0.2\nlist = [0.00001, 2.0]\n"));
}

}  // namespace
}  // namespace trivium::research
