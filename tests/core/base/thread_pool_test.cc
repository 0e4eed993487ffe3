#include "core/base/thread_pool.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <cerrno>
#include <chrono>
#include <limits>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>

#include "core/base/error.h"

namespace {
// How many more threads the system starts.
std::atomic<int> threads_left = std::numeric_limits<int>::max();
}  // namespace

// Stands before the system's function, so that a test can be a system that has no more threads.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*function)(void*), void* argument) noexcept {
  static const auto create =
      reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
  if (threads_left-- <= 0) return EAGAIN;
  return create(thread, attributes, function, argument);
}

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

// What run() throws where the work throws its thread's number on those of `failing`; -1: nothing.
int number_thrown(ThreadPool& pool, const std::vector<int>& failing) {
  try {
    pool.run([&](int thread) {
      for (const int number : failing) {
        if (number == thread) throw thread;
      }
    });
  } catch (const int number) {
    return number;
  }
  return -1;
}

TEST(ThreadPool, CarriesTheLowestThreadsExceptionToTheCaller) {
  for (const int threads : {1, 2, 4}) {
    ThreadPool pool(threads);
    for (int first = threads - 1; first >= 0; --first) {
      std::vector<int> failing;
      for (int thread = threads - 1; thread >= first; --thread) failing.push_back(thread);
      EXPECT_EQ(number_thrown(pool, failing), first);
      EXPECT_EQ(number_thrown(pool, {first}), first);
    }
  }
}

TEST(ThreadPool, WorksOnAfterExceptions) {
  ThreadPool pool(3);
  std::vector<int> counts(3, 0);
  for (int round = 0; round < 30; ++round) {
    EXPECT_EQ(number_thrown(pool, {round % 3}), round % 3);
    pool.run([&](int thread) { ++counts[thread]; });
  }
  EXPECT_EQ(counts, std::vector<int>(3, 30));
}

TEST(ThreadPool, ThrowsWhenNoThreadWorksAnyMore) {
  ThreadPool pool(3);
  std::atomic<int> ended = 0;
  const auto work = [&](int thread) {
    if (thread == 0) throw std::runtime_error("thread 0 is the first to end");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ++ended;
  };
  EXPECT_THROW(pool.run(work), std::runtime_error);
  EXPECT_EQ(ended, 2);
}

TEST(ThreadPool, AnExceptionIsDestroyedWhenItIsCaught) {
  const auto held = std::make_shared<int>(0);
  ThreadPool pool(3);
  for (int round = 0; round < 2; ++round) {
    EXPECT_THROW(pool.run([&](int) { throw held; }), std::shared_ptr<int>);
    EXPECT_EQ(held.use_count(), 1);
  }
}

TEST(ThreadPool, RangesCarryExceptionsToo) {
  ThreadPool pool(2);
  const auto run_out = [](int, int64_t, int64_t end) {
    if (end == 100) throw std::bad_alloc();
  };
  EXPECT_THROW(pool.for_ranges(100, 1 << 20, run_out), std::bad_alloc);
  EXPECT_THROW(pool.for_ranges(100, 1, run_out), std::bad_alloc);
}

TEST(ThreadPool, AThreadThatDoesNotStartIsAnError) {
  threads_left = 2;
  try {
    ThreadPool pool(5);
    ADD_FAILURE() << "5 threads of 3 that there are";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUnavailable);
    const std::string message = error.what();
    EXPECT_NE(message.find("only 3 of 5 threads"), std::string::npos) << message;
    EXPECT_NE(message.find("lower --threads"), std::string::npos) << message;
  }
  threads_left = std::numeric_limits<int>::max();
  ThreadPool pool(5);
  EXPECT_EQ(number_thrown(pool, {4}), 4);
}

TEST(ThreadPool, NeedsAThread) { EXPECT_THROW(ThreadPool(0), Error); }

}  // namespace
}  // namespace trivium
