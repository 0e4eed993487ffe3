#include "fibers.h"

#include <ucontext.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <vector>

uint3 threadIdx = {}, blockIdx = {};
dim3 blockDim, gridDim;

namespace trivium::cuda {
// src/kernels/cuda/launch.cuh declares it. The bytes behind a launch's own must stay as they are.
alignas(128) unsigned char shared_bytes[cuda_on_host::kMostShared + cuda_on_host::kGuard];
}  // namespace trivium::cuda

namespace cuda_on_host {
namespace {

using trivium::cuda::shared_bytes;

constexpr unsigned kWarp = 32, kMostThreads = 1024;
constexpr size_t kStack = 128 * 1024;
constexpr unsigned char kUnset = 0xFF;

enum class State { kReady, kAtBarrier, kInWarp, kDone };

using JumpBuffer = void* [5];

struct Fiber {
  ucontext_t start;
  JumpBuffer context;  // where it gave way
  bool has_started = false;
  std::unique_ptr<char[]> stack;
  State state = State::kReady;
  Place place;
  unsigned exchanges = 0;  // warp operations so far
};

// The words of two warp operations: nobody starts the next but one before all have read these.
struct Warp {
  std::array<uint64_t, kWarp> words[2];
  unsigned arrived = 0;
};

bool is_same(const Place& a, const Place& b) {
  return a.line() == b.line() && a.column() == b.column() &&
         std::strcmp(a.file_name(), b.file_name()) == 0;
}

std::string describe(const Place& place) {
  return std::string(place.file_name()) + ":" + std::to_string(place.line());
}

// Apart from the functions that set, which GCC asks for.
[[noreturn]] __attribute__((noinline)) void jump(JumpBuffer& buffer) {
  __builtin_longjmp(buffer, 1);
}

class BlockRunner {
 public:
  std::string run(dim3 block, size_t shared, const std::function<void()>& thread) {
    count_ = block.x;
    thread_ = &thread;
    problem_.clear();
    at_barrier_ = 0;
    warps_.assign(count_ / kWarp, {});
    if (fibers_.size() < count_) fibers_.resize(count_);
    std::fill_n(shared_bytes, shared + kGuard, kUnset);
    for (unsigned i = 0; i < count_; ++i) prepare(fibers_[i]);
    while (problem_.empty() && run_ready()) {
    }
    if (problem_.empty()) find_waiting();
    if (problem_.empty() && std::any_of(shared_bytes + shared, shared_bytes + shared + kGuard,
                                        [](unsigned char byte) { return byte != kUnset; })) {
      problem_ = "a block wrote beyond its " + std::to_string(shared) + " bytes of shared memory";
    }
    // What abandoned threads left on their stacks is no matter of the next block's.
    if (!problem_.empty()) fibers_.clear();
    return problem_;
  }

  void barrier(const Place& place) {
    Fiber& own = fibers_[current_];
    own.place = place;
    own.state = State::kAtBarrier;
    if (++at_barrier_ < count_) return wait();
    at_barrier_ = 0;
    release(0, count_, State::kAtBarrier, place);
  }

  const uint64_t* exchange(unsigned mask, uint64_t word, const Place& place) {
    if (mask != 0xFFFFFFFFu) stop("a warp operation of part of a warp at " + describe(place));
    Fiber& own = fibers_[current_];
    Warp& warp = warps_[current_ / kWarp];
    auto& words = warp.words[own.exchanges++ % 2];
    words[current_ % kWarp] = word;
    own.place = place;
    own.state = State::kInWarp;
    if (++warp.arrived < kWarp) {
      wait();
    } else {
      warp.arrived = 0;
      release(current_ / kWarp * kWarp, kWarp, State::kInWarp, place);
    }
    return words.data();
  }

  // Ends the block; its threads are never resumed.
  void stop(const std::string& problem) {
    if (problem_.empty()) problem_ = problem;
    wait();
    std::abort();
  }

 private:
  void prepare(Fiber& fiber) {
    if (!fiber.stack) fiber.stack = std::make_unique<char[]>(kStack);
    fiber.state = State::kReady;
    fiber.exchanges = 0;
    fiber.has_started = false;
  }

  static void begin();

  // One turn of every thread that can go on; false when there is none.
  bool run_ready() {
    bool any = false;
    for (unsigned i = 0; i < count_ && problem_.empty(); ++i) {
      if (fibers_[i].state != State::kReady) continue;
      any = true;
      current_ = i;
      threadIdx = {i, 0, 0};
      resume(fibers_[i]);
    }
    return any;
  }

  // A fiber begins by setcontext and goes on by a jump that asks the system nothing, and that
  // AddressSanitizer does not take for the end of a stack (this file is compiled without it).
  __attribute__((noinline)) void resume(Fiber& fiber) {
    if (__builtin_setjmp(main_) != 0) return;
    if (fiber.has_started) jump(fiber.context);
    fiber.has_started = true;
    getcontext(&fiber.start);
    fiber.start.uc_stack.ss_sp = fiber.stack.get();
    fiber.start.uc_stack.ss_size = kStack;
    fiber.start.uc_link = nullptr;
    makecontext(&fiber.start, &BlockRunner::begin, 0);
    setcontext(&fiber.start);
  }

  __attribute__((noinline)) void wait() {
    if (__builtin_setjmp(fibers_[current_].context) == 0) jump(main_);
  }

  void release(unsigned first, unsigned count, State from, const Place& place) {
    for (unsigned i = first; i < first + count; ++i) {
      if (fibers_[i].state != from || !is_same(fibers_[i].place, place)) {
        stop("threads meet at different places: " + describe(place) + " and " +
             describe(fibers_[i].place));
      }
      fibers_[i].state = State::kReady;
    }
  }

  void find_waiting() {
    for (unsigned i = 0; i < count_; ++i) {
      if (fibers_[i].state == State::kDone) continue;
      problem_ = "thread " + std::to_string(i) + " waits at " + describe(fibers_[i].place) +
                 " for threads that do not come";
      return;
    }
  }

  unsigned count_ = 0, current_ = 0, at_barrier_ = 0;
  const std::function<void()>* thread_ = nullptr;
  std::string problem_;
  std::vector<Fiber> fibers_;
  std::vector<Warp> warps_;
  JumpBuffer main_;
};

BlockRunner& runner() {
  static BlockRunner instance;
  return instance;
}

void BlockRunner::begin() {
  BlockRunner& self = runner();
  (*self.thread_)();
  self.fibers_[self.current_].state = State::kDone;
  self.wait();
}

}  // namespace

void stop_block(const std::string& problem) { runner().stop(problem); }
void block_barrier(const Place& place) { runner().barrier(place); }
const uint64_t* warp_exchange(unsigned mask, uint64_t word, const Place& place) {
  return runner().exchange(mask, word, place);
}

std::string run_grid(dim3 grid, dim3 block, size_t shared, const std::function<void()>& thread) {
  if (block.x == 0 || block.x > kMostThreads || block.x % kWarp != 0 || block.y != 1 ||
      block.z != 1 || shared > kMostShared || grid.x == 0 || grid.y == 0 || grid.z == 0 ||
      grid.x > 0x7FFFFFFFu || grid.y > 65535 || grid.z > 65535) {
    return "a launch of a shape that no GPU takes, or that this stand-in does not run";
  }
  gridDim = grid;
  blockDim = block;
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; ++x) {
        blockIdx = {x, y, z};
        const std::string problem = runner().run(block, shared, thread);
        if (!problem.empty()) return problem;
      }
    }
  }
  return "";
}

}  // namespace cuda_on_host
