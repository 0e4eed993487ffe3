#include "core/base/thread_pool.h"

#include <string>
#include <system_error>
#include <utility>

#include "core/base/error.h"

namespace trivium {
namespace {

// About 50 microseconds: longer than what lies between two loops of a decoding step, and short
// enough that an idle program costs nothing.
constexpr int kSpins = 2000;

inline void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Waits until `value` is something else than `old`.
void wait_for_change(const std::atomic<uint32_t>& value, uint32_t old) {
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    pause_briefly();
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  if (threads < 1) throw Error(ExitCode::kUsage, "the number of threads must be at least 1");
  try {
    failures_.resize(static_cast<size_t>(threads));
    for (int thread = 1; thread < threads; ++thread) {
      workers_.emplace_back([this, thread] { work_until_stopped(thread); });
    }
  } catch (const std::system_error& error) {
    stop();
    throw Error(ExitCode::kUnavailable, "the system starts only " + std::to_string(size()) +
                                            " of " + std::to_string(threads) + " threads (" +
                                            error.code().message() + "); lower --threads");
  } catch (...) {
    stop();
    throw;
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  stopped_.store(true, std::memory_order_relaxed);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::start(Function function, void* callable) {
  if (workers_.empty()) {
    function(callable, 0);
    return;
  }
  function_ = function;
  callable_ = callable;
  working_.store(static_cast<uint32_t>(workers_.size()), std::memory_order_relaxed);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  call(0);
  for (uint32_t left; (left = working_.load(std::memory_order_acquire)) != 0;) {
    wait_for_change(working_, left);
  }
  if (failed_.load(std::memory_order_relaxed)) throw_first_failure();
}

// This round's work on one thread. An exception is kept: it must neither leave a worker, which
// would end the program, nor leave the caller while workers use what it would destroy. A copy of
// std::exception_ptr counts a reference and allocates nothing.
void ThreadPool::call(int thread) {
  try {
    function_(callable_, thread);
  } catch (...) {
    failures_[static_cast<size_t>(thread)] = std::current_exception();
    failed_.store(true, std::memory_order_relaxed);
  }
}

void ThreadPool::throw_first_failure() {
  failed_.store(false, std::memory_order_relaxed);
  std::exception_ptr first;
  for (std::exception_ptr& failure : failures_) {
    if (first == nullptr) first = failure;
    failure = nullptr;
  }
  std::rethrow_exception(std::move(first));
}

void ThreadPool::work_until_stopped(int thread) {
  for (uint32_t round = 0;;) {
    wait_for_change(round_, round);
    round = round_.load(std::memory_order_acquire);
    if (stopped_.load(std::memory_order_relaxed)) return;
    call(thread);
    working_.fetch_sub(1, std::memory_order_release);
    working_.notify_one();
  }
}

}  // namespace trivium
