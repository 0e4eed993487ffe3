#include "core/base/file_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>

#include "core/base/error.h"
#include "core/base/temporary_folder.h"

namespace trivium {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(FileLock, IsHeldByOneAtATime) {
  const TemporaryFolder temporary;
  const fs::path target = temporary.path() / "runs" / "one";
  std::optional<FileLock> first(target);
  const auto second = [&](const fs::path& path) { return error_of([&] { FileLock lock(path); }); };
  EXPECT_THAT(second(target), AllOf(StartsWith("73: "), HasSubstr("another process")));
  EXPECT_THAT(second(target / ""), StartsWith("73: "));
  EXPECT_EQ(second(temporary.path() / "runs" / "two"), "");
  first.reset();
  EXPECT_EQ(second(target), "");
  EXPECT_TRUE(fs::is_empty(temporary.path() / "runs"));
}

// A process that is killed leaves its file behind, and no lock.
TEST(FileLock, EndsWithItsProcess) {
  const TemporaryFolder temporary;
  const fs::path target = temporary.path() / "one";
  const pid_t child = fork();
  if (child == 0) {
    new FileLock(target);
    _exit(0);
  }
  ASSERT_GT(child, 0);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(fs::exists(temporary.path() / "one.lock"));
  EXPECT_EQ(error_of([&] { FileLock lock(target); }), "");
}

TEST(FileLock, SaysWhereItCannotBe) {
  EXPECT_THAT(error_of([] { FileLock lock("/proc/nothing/one"); }), StartsWith("74: "));
}

}  // namespace
}  // namespace trivium
