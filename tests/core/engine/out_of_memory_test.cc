// The engine on the CPU where memory runs out: its workers never ask for any, and an allocation
// that fails on the caller's thread is an exception after which the engine answers as before.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <limits>
#include <new>
#include <tuple>

#include "core/engine/cpu/cpu_engine.h"
#include "core/engine/random_weights.h"
#include "core/generation/search.h"

namespace {

constexpr int64_t kEnough = std::numeric_limits<int64_t>::max();

thread_local bool is_caller = false;  // whether a test runs on this thread, not a pool's worker
std::atomic<int64_t> allocations_of_workers = 0;
std::atomic<int64_t> allocations_left = kEnough;  // before the caller's thread finds no memory

// Counts an allocation of this thread; whether there is memory for it.
bool may_allocate() {
  if (!is_caller) {
    ++allocations_of_workers;
    return true;
  }
  return allocations_left == kEnough || allocations_left-- > 0;
}

}  // namespace

// The two ways to memory that the engine has: the standard containers', and AlignedBuffer's. Not
// inline, since GCC would then warn that what `new` gave goes to free().

[[gnu::noinline]] void* operator new(size_t bytes) {
  void* memory = may_allocate() ? std::malloc(bytes == 0 ? 1 : bytes) : nullptr;
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
// (Sanitizers' own does not go through the one above, as the library's does.)
[[gnu::noinline]] void* operator new(size_t bytes, const std::nothrow_t& /*tag*/) noexcept {
  return may_allocate() ? std::malloc(bytes == 0 ? 1 : bytes) : nullptr;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t& /*tag*/) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t /*bytes*/) noexcept {
  std::free(memory);
}

extern "C" int posix_memalign(void** memory, size_t alignment, size_t bytes) noexcept {
  static const auto allocate =
      reinterpret_cast<decltype(&posix_memalign)>(dlsym(RTLD_NEXT, "posix_memalign"));
  return may_allocate() ? allocate(memory, alignment, bytes) : ENOMEM;
}

namespace trivium {
namespace {

// Routes of a kind, in a type of numbers.
using Case = std::tuple<Routes, ComputeType>;

// Wide enough, where `width` is 128, that every loop is shared out to the threads.
ModelConfig config_of(Routes kind, int64_t width) {
  ModelConfig config = engine_config(kind == Routes::kDense || kind == Routes::kTokenGates ? 1 : 3);
  if (kind == Routes::kTokenGates) config.token_experts.num_experts = 4;
  config.d_model = width;
  config.vocab_size = 50 * width;
  return config;
}

// Sources with routes of three tasks, the longest last.
struct Batch {
  Batch(const ModelConfig& config, Routes kind, size_t count) {
    Rng rng(5);
    for (size_t i = 0; i < count; ++i) {
      ids.emplace_back();
      for (size_t len = 3 + 18 * i / count; len > 0; --len) {
        ids.back().push_back(static_cast<int32_t>(4 + rng.below(140)));
      }
      tasks.push_back(random_route(config, kind, 10 + i % 3));
    }
    for (const TaskRoute& task : tasks) routes.push_back(&task);
  }

  std::vector<std::vector<int32_t>> ids;
  std::vector<TaskRoute> tasks;
  std::vector<const TaskRoute*> routes;
};

std::vector<Hypothesis> answers(Engine& engine, const Batch& batch, int64_t places, int beams) {
  SearchOptions options;
  options.num_beams = beams;
  options.max_length = 5;
  options.no_repeat_ngram_size = 2;
  return search(*engine.start(batch.ids, batch.routes, places, 1), options);
}

class OutOfMemoryTest : public ::testing::TestWithParam<Case> {
 protected:
  OutOfMemoryTest() { is_caller = true; }

  CpuEngine engine_of(const ModelConfig& config, int threads) {
    EngineOptions options;
    options.type = std::get<1>(GetParam());
    options.threads = threads;
    return CpuEngine(config, options, random_weights(config));
  }
};

// Experts are read, by the workers too, when a route first takes them. A source of one token needs
// next to nothing of the memory that longer ones do.
void read_experts(CpuEngine& engine, const Batch& batch) {
  for (const TaskRoute* route : batch.routes) engine.mean_states({{5}}, {route});
}

TEST_P(OutOfMemoryTest, WorkersNeverAllocate) {
  const Routes kind = std::get<0>(GetParam());
  const ModelConfig config = config_of(kind, 128);
  const Batch batch(config, kind, 12);
  // Engines of their own, since one that has run has all memory that the same needs again.
  {
    CpuEngine engine = engine_of(config, 3);
    read_experts(engine, batch);
    const int64_t before = allocations_of_workers;
    answers(engine, batch, 4, 1);  // sources that wait
    answers(engine, batch, 12, 1);
    EXPECT_EQ(allocations_of_workers, before) << "greedy search";
  }
  {
    CpuEngine engine = engine_of(config, 3);
    read_experts(engine, batch);
    const int64_t before = allocations_of_workers;
    answers(engine, batch, 12, 4);
    EXPECT_EQ(allocations_of_workers, before) << "beam search";
  }
  {
    CpuEngine engine = engine_of(config, 3);
    read_experts(engine, batch);
    const int64_t before = allocations_of_workers;
    const std::vector<std::vector<std::vector<int32_t>>> options(12, {{5, 6, 2}, {7, 8, 9, 2}});
    score_options(*engine.start(batch.ids, batch.routes, 12, 1), 2, options);
    EXPECT_EQ(allocations_of_workers, before) << "scoring";
  }
}

TEST_P(OutOfMemoryTest, TheEngineAnswersAsBeforeAfterAFailedAllocation) {
  const Routes kind = std::get<0>(GetParam());
  const ModelConfig config = config_of(kind, 16);
  const Batch few(config, kind, 1), many(config, kind, 3);
  CpuEngine reference = engine_of(config, 1);
  const std::vector<Hypothesis> expected = answers(reference, few, 1, 2);
  const auto expect_answers = [&](CpuEngine& engine) {
    const std::vector<Hypothesis> found = answers(engine, few, 1, 2);
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].ids, expected[i].ids);
      EXPECT_EQ(found[i].score, expected[i].score);
    }
  };
  CpuEngine engine = engine_of(config, 1);
  expect_answers(engine);
  int64_t failures = 0;
  for (bool failed = true; failed; ++failures) {
    failed = false;
    try {
      allocations_left = failures;
      answers(engine, many, 3, 2);
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    allocations_left = kEnough;
    ASSERT_NO_FATAL_FAILURE(expect_answers(engine)) << "after allocation " << failures;
  }
  EXPECT_GT(failures, 100) << "every allocation of a search failed once";
}

INSTANTIATE_TEST_SUITE_P(Kinds, OutOfMemoryTest,
                         ::testing::Combine(::testing::Values(Routes::kDense, Routes::kOneHot,
                                                              Routes::kSoft, Routes::kTokenGates),
                                            ::testing::Values(ComputeType::kFloat32,
                                                              ComputeType::kBfloat16,
                                                              ComputeType::kInt8)));

}  // namespace
}  // namespace trivium
