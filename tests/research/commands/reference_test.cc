// docs/reference.md is what the programs say of themselves.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "core/base/file.h"
#include "core/base/temporary_folder.h"

namespace trivium::research {
namespace {

TEST(ReferenceTest, ThePageIsWhatTheProgramSays) {
  const TemporaryFolder folder;
  const std::filesystem::path root = TRIVIUM_SOURCE_DIR, program = TRIVIUM_PROGRAM;
  const std::filesystem::path page = folder.path() / "reference.md";
  const std::string command =
      "TRIVIUM_TRAIN='" + (program.parent_path() / "trivium-train").string() + "' '" +
      (root / "tools/make_reference").string() + "' '" + page.string() + "'";
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(read_file(page), read_file(root / "docs/reference.md"))
      << "run tools/make_reference, and look at what has changed";
}

}  // namespace
}  // namespace trivium::research
