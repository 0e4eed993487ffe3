// Threads for loops of microseconds: a waiting thread spins briefly, then sleeps.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

namespace trivium {

class ThreadPool {
 public:
  // `threads` counts the caller of run(); at least 1. Error kUsage for fewer, kUnavailable where
  // the system does not start so many; no thread is left then.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls work(thread) once for every thread in [0, size()), number 0 on the caller's own thread,
  // and returns when all have ended, so that nothing that `work` uses is needed any longer. What
  // `work` throws, on any thread, is thrown to the caller then; of several exceptions that of the
  // lowest thread. Other threads are not stopped by it, and the pool can be used again. `work` must
  // not call run(). One caller at a time.
  template <typename Work>
  void run(Work&& work) {
    auto callable = [&work](int thread) { work(thread); };
    using Callable = decltype(callable);
    start([](void* place, int thread) { (*static_cast<Callable*>(place))(thread); }, &callable);
  }

  // Splits [0, count) into one contiguous range a thread, as even as possible, and calls
  // work(thread, begin, end) for those that are not empty. The caller does it alone where all of it
  // is few `operations` (multiplications, say): less than waking a thread may cost. Exceptions as
  // those of run(). A loop's memory is made before it, on the caller's thread, so that a loop that
  // has begun does not run out of it half-way.
  template <typename Work>
  void for_ranges(int64_t count, int64_t operations, Work&& work) {
    constexpr int64_t kFewOperations = 16384;
    if (count <= 1 || size() == 1 || operations < kFewOperations) {
      if (count > 0) work(0, int64_t{0}, count);
      return;
    }
    run([&](int thread) {
      const int64_t begin = count * thread / size(), end = count * (thread + 1) / size();
      if (begin < end) work(thread, begin, end);
    });
  }

 private:
  using Function = void (*)(void* callable, int thread);
  void start(Function function, void* callable);
  void call(int thread);
  void work_until_stopped(int thread);
  void stop();
  [[noreturn]] void throw_first_failure();

  std::vector<std::thread> workers_;
  Function function_ = nullptr;
  void* callable_ = nullptr;
  std::vector<std::exception_ptr> failures_;  // [size()]: what a thread's work threw in this round
  // On cache lines of their own: each is written by one side and spun on by the other.
  alignas(64) std::atomic<uint32_t> round_{0};    // counts the calls of run()
  alignas(64) std::atomic<uint32_t> working_{0};  // workers that have not ended this round
  std::atomic<bool> failed_{false};               // whether there is a failure in this round
  std::atomic<bool> stopped_{false};
};

}  // namespace trivium
