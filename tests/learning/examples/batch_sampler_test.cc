#include "learning/examples/batch_sampler.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/base/json.h"
#include "core/base/temporary_folder.h"

namespace trivium::learning {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// 3000 examples of tasks 0, 2 and 5 in the proportion 6 : 3 : 1, of varied lengths.
std::vector<SampleItem> varied_items() {
  Rng rng(11);
  std::vector<SampleItem> items;
  for (int i = 0; i < 3000; ++i) {
    const int64_t task = i % 10 < 6 ? 0 : i % 10 < 9 ? 2 : 5;
    items.push_back(
        {task, 3 + static_cast<int64_t>(rng.below(120)), 3 + static_cast<int64_t>(rng.below(8))});
  }
  return items;
}

std::vector<std::vector<size_t>> epoch_of(BatchSampler& sampler) {
  std::vector<std::vector<size_t>> batches(sampler.batches_in_epoch());
  for (auto& batch : batches) batch = sampler.next_batch();
  return batches;
}

int64_t padded_tokens(const std::vector<SampleItem>& items, const std::vector<size_t>& batch) {
  int64_t source = 0, target = 0;
  for (const size_t i : batch) {
    source = std::max(source, items[i].source);
    target = std::max(target, items[i].target);
  }
  return static_cast<int64_t>(batch.size()) * (source + target);
}

std::map<int64_t, size_t> examples_by_task(const std::vector<SampleItem>& items,
                                           const std::vector<std::vector<size_t>>& batches) {
  std::map<int64_t, size_t> counts;
  for (const auto& batch : batches) {
    for (const size_t i : batch) ++counts[items[i].task];
  }
  return counts;
}

TEST(BatchSampler, HeterogeneousEpochHoldsEveryExampleOnceWithinTheBudget) {
  const std::vector<SampleItem> items = varied_items();
  BatchSampler sampler(items, {.batch_tokens = 1000}, 1);
  for (int epoch = 0; epoch < 2; ++epoch) {
    const double padding_share = sampler.padding_share();
    std::set<size_t> seen;
    int64_t padded = 0, real = 0, mixed = 0;
    const auto batches = epoch_of(sampler);
    for (const auto& batch : batches) {
      EXPECT_LE(padded_tokens(items, batch), 1000);
      padded += padded_tokens(items, batch);
      std::set<int64_t> tasks;
      for (const size_t i : batch) {
        EXPECT_TRUE(seen.insert(i).second);
        real += items[i].source + items[i].target;
        tasks.insert(items[i].task);
      }
      mixed += tasks.size() > 1;
    }
    EXPECT_EQ(seen.size(), items.size());
    EXPECT_DOUBLE_EQ(padding_share, 1 - static_cast<double>(real) / static_cast<double>(padded));
    EXPECT_LT(static_cast<double>(padded),
              1.15 * static_cast<double>(real));  // sorted: little padding
    EXPECT_GT(mixed, static_cast<int64_t>(batches.size() * 3 / 4));
    EXPECT_EQ(sampler.epoch(), epoch + 1);
  }
}

TEST(BatchSampler, BatchesAreNotInOrderOfLength) {
  const std::vector<SampleItem> items = varied_items();
  BatchSampler sampler(items, {.batch_tokens = 1000}, 1);
  int rises = 0, steps = 0;
  int64_t last = 0;
  for (const auto& batch : epoch_of(sampler)) {
    rises += items[batch[0]].source > last;
    last = items[batch[0]].source;
    ++steps;
  }
  EXPECT_GT(rises, steps / 3);
  EXPECT_LT(rises, 2 * steps / 3);
}

// Lengths and tasks go together here, as they do in collections of tasks.
TEST(BatchSampler, AStepOfAWindowsBatchesIsARandomDraw) {
  std::vector<SampleItem> items;
  for (int64_t i = 0; i < 4000; ++i) items.push_back({i % 4, 10 + 20 * (i % 4), 2});
  SamplerOptions options;
  options.batch_tokens = 400;
  options.batches_per_step = options.window_batches = 4;
  BatchSampler mixed(items, options, 1);
  options.window_batches = 64;
  BatchSampler sorted(items, options, 1);
  // The mean number of tasks in four batches.
  const auto tasks_a_step = [&](BatchSampler& sampler) {
    constexpr int kSteps = 50;
    double sum = 0;
    for (int step = 0; step < kSteps; ++step) {
      std::set<int64_t> tasks;
      for (int b = 0; b < 4; ++b) {
        for (const size_t i : sampler.next_batch()) tasks.insert(items[i].task);
      }
      sum += static_cast<double>(tasks.size());
    }
    return sum / kSteps;
  };
  EXPECT_GT(tasks_a_step(mixed), 3.9);
  EXPECT_LT(tasks_a_step(sorted), 3.5);
  EXPECT_LT(mixed.padding_share(), 0.25);
}

TEST(BatchSampler, LimitsExamplesAndGivesLongOnesTheirOwnBatch) {
  BatchSampler sampler({{0, 5000, 10}, {0, 2, 1}, {0, 2, 1}, {0, 2, 1}},
                       {.batch_tokens = 100, .max_examples = 2}, 1);
  std::multiset<size_t> sizes;
  for (const auto& batch : epoch_of(sampler)) sizes.insert(batch.size());
  EXPECT_EQ(sizes, (std::multiset<size_t>{1, 1, 2}));
}

TEST(BatchSampler, HomogeneousEpochHasOneBatchOfEachTask) {
  const std::vector<SampleItem> items = varied_items();
  BatchSampler sampler(items, {.batching = Batching::kHomogeneous, .batch_tokens = 2000}, 1);
  std::set<std::vector<int64_t>> orders;
  for (int epoch = 0; epoch < 20; ++epoch) {
    std::vector<int64_t> order;
    for (const auto& batch : epoch_of(sampler)) {
      EXPECT_LE(padded_tokens(items, batch), 2000);
      EXPECT_GE(batch.size(), 14u);  // 2000 / (122 + 10), so only the budget ends a batch
      EXPECT_EQ(std::set<size_t>(batch.begin(), batch.end()).size(), batch.size());
      order.push_back(items[batch[0]].task);
      for (const size_t i : batch) EXPECT_EQ(items[i].task, order.back());
    }
    std::vector<int64_t> tasks = order;
    std::sort(tasks.begin(), tasks.end());
    EXPECT_EQ(tasks, (std::vector<int64_t>{0, 2, 5}));
    orders.insert(order);
  }
  EXPECT_GT(orders.size(), 2u);
}

TEST(BatchSampler, AlphaBendsTheShares) {
  const std::vector<SampleItem> items = varied_items();
  for (const auto& [alpha, share] :
       std::map<double, std::vector<double>>{{0.0, {1, 1, 1}}, {0.5, {2.449, 1.732, 1}}}) {
    BatchSampler sampler(items, {.batch_tokens = 1000, .share_alpha = alpha}, 1);
    const std::map<int64_t, size_t> counts = examples_by_task(items, epoch_of(sampler));
    const double unit = 3000 / (share[0] + share[1] + share[2]);
    EXPECT_NEAR(static_cast<double>(counts.at(0)), share[0] * unit, 2);
    EXPECT_NEAR(static_cast<double>(counts.at(2)), share[1] * unit, 2);
    EXPECT_NEAR(static_cast<double>(counts.at(5)), share[2] * unit, 2);
  }
}

TEST(BatchSampler, SeedDecidesTheBatches) {
  const std::vector<SampleItem> items = varied_items();
  BatchSampler a(items, {}, 1), b(items, {}, 1), c(items, {}, 2);
  const auto batches = epoch_of(a);
  EXPECT_EQ(batches, epoch_of(b));
  EXPECT_NE(batches, epoch_of(c));
  EXPECT_NE(batches, epoch_of(a));  // the second epoch
}

TEST(BatchSampler, ResumesAnywhereInTheRun) {
  const std::vector<SampleItem> items = varied_items();
  for (const Batching batching : {Batching::kHeterogeneous, Batching::kHomogeneous}) {
    const SamplerOptions options = {
        .batching = batching, .batch_tokens = 30000, .share_alpha = 0.7};
    BatchSampler unbroken(items, options, 5);
    for (int step = 0; step < 40; ++step) {
      BatchSampler resumed(items, options, 99);
      resumed.set_state(unbroken.state());
      EXPECT_EQ(resumed.state(), unbroken.state());
      BatchSampler copy = unbroken;
      for (int ahead = 0; ahead < 5; ++ahead) EXPECT_EQ(resumed.next_batch(), copy.next_batch());
      EXPECT_EQ(resumed.epoch(), copy.epoch());
      unbroken.next_batch();
    }
    EXPECT_GT(unbroken.epoch(), 1);
  }
}

TEST(BatchSampler, RefusesForeignAndBrokenStates) {
  const std::vector<SampleItem> items = varied_items();
  BatchSampler sampler(items, {}, 1);
  const auto error_for = [&](const Json& state) {
    return error_of([&] { BatchSampler(items, {}, 1).set_state(state); });
  };
  BatchSampler other({{0, 1, 1}}, {}, 1);
  EXPECT_THAT(error_for(other.state()), AllOf(StartsWith("76: "), HasSubstr("of 1 examples")));
  EXPECT_THAT(error_of([] { BatchSampler({}, {}, 1); }), StartsWith("65: "));
  EXPECT_THAT(error_for("{"), StartsWith("76: "));
  EXPECT_THAT(error_for({{"examples", 3000}, {"epoch", 0}, {"position", 0}, {"rng", "x"}}),
              StartsWith("76: "));
  Json state = sampler.state();
  state["position"] = 1000000;
  EXPECT_THAT(error_for(state), AllOf(StartsWith("76: "), HasSubstr("past the end")));
}

}  // namespace
}  // namespace trivium::learning
