#include "core/base/memory.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

namespace trivium {
namespace {

TEST(MemoryTest, PeakCountsWhatThisProcessHeld) {
  constexpr int64_t kBytes = 64 << 20;
  const std::vector<char> held(kBytes, 1);
  ASSERT_EQ(held.back(), 1);
  const auto peak = peak_memory();
  ASSERT_TRUE(peak.has_value());
  EXPECT_GT(*peak, kBytes);
  EXPECT_GE(*peak_memory(::getpid()), *peak);
}

TEST(MemoryTest, PeakOfAProcessThatHasEndedIsNothing) {
  const int process = ::fork();
  if (process == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(process, nullptr, 0), process);
  EXPECT_FALSE(peak_memory(process).has_value());
}

}  // namespace
}  // namespace trivium
