#include "core/base/thread_pool.h"

#include <gtest/gtest.h>

#include <chrono>

#include "core/base/error.h"

namespace trivium {
namespace {

TEST(ThreadPool, EveryThreadRunsOnceARound) {
  ThreadPool pool(4);
  std::vector<int> counts(4, 0);
  for (int round = 0; round < 2000; ++round) pool.run([&](int thread) { ++counts[thread]; });
  EXPECT_EQ(counts, std::vector<int>(4, 2000));
}

TEST(ThreadPool, RangesCoverAllOnce) {
  for (const int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    for (const int64_t count : {0, 1, 2, 5, 100}) {
      std::vector<std::atomic<int>> seen(static_cast<size_t>(count));
      pool.for_ranges(count, 1 << 20, [&](int thread, int64_t begin, int64_t end) {
        EXPECT_LT(thread, threads);
        for (int64_t i = begin; i < end; ++i) ++seen[i];
      });
      for (const auto& times : seen) EXPECT_EQ(times, 1);
    }
  }
}

TEST(ThreadPool, TheCallerDoesSmallWorkAlone) {
  ThreadPool pool(3);
  int calls = 0;
  pool.for_ranges(100, 500, [&](int thread, int64_t begin, int64_t end) {
    EXPECT_EQ(thread, 0);
    EXPECT_EQ(end - begin, 100);
    ++calls;
  });
  EXPECT_EQ(calls, 1);
}

TEST(ThreadPool, WakesWorkersThatSleep) {
  ThreadPool pool(3);
  std::atomic<int> done = 0;
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    pool.run([&](int) { ++done; });
  }
  EXPECT_EQ(done, 9);
}

TEST(ThreadPool, NeedsAThread) { EXPECT_THROW(ThreadPool(0), Error); }

}  // namespace
}  // namespace trivium
