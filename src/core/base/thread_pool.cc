#include "core/base/thread_pool.h"

#include "core/base/error.h"

namespace trivium {
namespace {

// About 50 microseconds: longer than what lies between two loops of a decoding step, and short
// enough that an idle program costs nothing.
constexpr int kSpins = 2000;

inline void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
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
  for (int thread = 1; thread < threads; ++thread) {
    workers_.emplace_back([this, thread] { work_until_stopped(thread); });
  }
}

ThreadPool::~ThreadPool() {
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
  function(callable, 0);
  for (uint32_t left; (left = working_.load(std::memory_order_acquire)) != 0;) {
    wait_for_change(working_, left);
  }
}

void ThreadPool::work_until_stopped(int thread) {
  for (uint32_t round = 0;;) {
    wait_for_change(round_, round);
    round = round_.load(std::memory_order_acquire);
    if (stopped_.load(std::memory_order_relaxed)) return;
    function_(callable_, thread);
    working_.fetch_sub(1, std::memory_order_release);
    working_.notify_one();
  }
}

}  // namespace trivium
