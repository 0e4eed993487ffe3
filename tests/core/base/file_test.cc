#include "core/base/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <sstream>

#include "core/base/error.h"
#include "core/base/temporary_folder.h"

namespace trivium {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(FileTest, AtomicWriteReplacesTheWholeFileAndLeavesNothingElse) {
  TemporaryFolder folder;
  const auto path = folder.write("a.txt", "a longer old text");
  write_file_atomically(path, "new");
  EXPECT_EQ(read_file(path), "new");
  const std::array<std::string_view, 3> pieces = {"one", "", "two"};
  write_file_atomically(path, pieces);
  EXPECT_EQ(read_file(path), "onetwo");
  size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    ++files;
  }
  EXPECT_EQ(files, 1u);
}

TEST(FileTest, FailuresNameTheFile) {
  TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { read_file(folder.path() / "none"); }), StartsWith("66"));
  EXPECT_THAT(error_of([&] { read_file(folder.path() / "none"); }), HasSubstr("none"));
  EXPECT_THAT(error_of([&] { write_file_atomically(folder.path() / "no" / "file", "x"); }),
              StartsWith("66"));
}

TEST(FileTest, Sha256OfAKnownText) {
  TemporaryFolder folder;
  EXPECT_EQ(sha256_of_file(folder.write("abc", "abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(LineReaderTest, CountsLinesAndDropsByteOrderMarkAndCarriageReturns) {
  std::istringstream stream(
      "\xEF\xBB\xBF"
      "first\r\n\nlast without end");
  LineReader reader(stream, "f");
  auto line = reader.next();
  EXPECT_EQ(line->text, "first");
  EXPECT_EQ(line->number, 1);
  EXPECT_EQ(reader.next()->text, "");
  line = reader.next();
  EXPECT_EQ(line->text, "last without end");
  EXPECT_EQ(line->number, 3);
  EXPECT_FALSE(reader.next());
}

TEST(LineReaderTest, HoldsNoMoreThanItsLimit) {
  std::istringstream stream(std::string(5000, 'x') + "\nshort\n");
  LineReader reader(stream, "f", 100);
  const auto line = reader.next();
  EXPECT_TRUE(line->truncated);
  EXPECT_EQ(line->text, std::string(100, 'x'));
  const auto next = reader.next();
  EXPECT_FALSE(next->truncated);
  EXPECT_EQ(next->text, "short");
  EXPECT_EQ(next->number, 2);
}

TEST(FileTest, LinksAreFollowedAndKeepWhatTheyAre) {
  TemporaryFolder folder;
  const auto real = folder.write("real", "old");
  std::filesystem::permissions(
      real, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  const auto link = folder.path() / "link", second = folder.path() / "second";
  std::filesystem::create_symlink("real", link);
  std::filesystem::create_symlink(link, second);
  write_file_atomically(second, "new");
  EXPECT_EQ(read_file(real), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_TRUE(std::filesystem::is_symlink(second));
  EXPECT_EQ(std::filesystem::status(real).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  const auto dangling = folder.path() / "dangling";
  std::filesystem::create_symlink("later", dangling);
  write_file_atomically(dangling, "x");
  EXPECT_EQ(read_file(folder.path() / "later"), "x");
  const auto loop = folder.path() / "loop";
  std::filesystem::create_symlink("loop", loop);
  EXPECT_THAT(error_of([&] { write_file_atomically(loop, "x"); }), ::testing::StartsWith("74: "));
  EXPECT_FALSE(write_target("/dev/null").is_replaceable);
  EXPECT_TRUE(write_target(folder.path() / "new").is_replaceable);
}

}  // namespace
}  // namespace trivium
