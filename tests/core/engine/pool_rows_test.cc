#include "core/engine/cpu/pool_rows.h"

#include <gtest/gtest.h>

#include "core/base/rng.h"

namespace trivium {
namespace {

constexpr int64_t kWidth = 7;

// Value `i` of row `row`: another one for each.
float value_of(int64_t row, int64_t i) { return static_cast<float>(row * 100 + i + 1); }

class PoolRowsTest : public ::testing::Test {
 protected:
  ThreadPool threads_{3};
  CpuContext context_{&threads_, &block_kernels(InstructionSet::kPortable)};
};

TEST_F(PoolRowsTest, GathersRowsInTheOrderOfTheirPlaces) {
  std::vector<float> hidden;
  for (int64_t row = 0; row < 5; ++row) {
    for (int64_t i = 0; i < kWidth; ++i) hidden.push_back(value_of(row, i));
  }
  // Rows 3 and 4 first, then row 0, and row 3 once more.
  const std::vector<PoolRows> uses = {{3, 0, 2, 1}, {0, 2, 1, 1}, {3, 3, 1, 1}};
  std::vector<float> gathered(4 * kWidth, -1);
  gather_rows(context_, uses, kWidth, hidden.data(), gathered.data());
  const std::vector<int64_t> expected = {3, 4, 0, 3};
  for (size_t place = 0; place < expected.size(); ++place) {
    for (int64_t i = 0; i < kWidth; ++i) {
      EXPECT_EQ(gathered[place * kWidth + static_cast<size_t>(i)], value_of(expected[place], i));
    }
  }
}

TEST_F(PoolRowsTest, MixesEveryRowByItsWeights) {
  std::vector<float> gathered;
  for (int64_t place = 0; place < 4; ++place) {
    for (int64_t i = 0; i < kWidth; ++i) gathered.push_back(value_of(place, i));
  }
  // Row 1 of the batch is the mean of places 0 and 3, row 2 is place 1; nobody computes row 0.
  const std::vector<PoolRows> uses = {{1, 0, 2, 0.5f}, {1, 3, 1, 0.5f}, {2, 1, 1, 0.5f}};
  std::vector<float> mixed(3 * kWidth, -1);
  mix_rows(context_, uses, 3, kWidth, gathered.data(), mixed.data());
  for (int64_t i = 0; i < kWidth; ++i) {
    const auto at = [&](int64_t row) { return mixed[static_cast<size_t>(row * kWidth + i)]; };
    EXPECT_EQ(at(0), 0);
    EXPECT_EQ(at(1), 0.5f * value_of(0, i) + 0.5f * value_of(3, i));
    EXPECT_EQ(at(2), 0.5f * value_of(1, i) + 0.5f * value_of(1, i));
  }
}

// An "expert" is a number here, by which its rows are multiplied.
TEST_F(PoolRowsTest, APoolOfExpertsIsTheMixtureOfTheirOutputs) {
  const std::deque<float> experts = {10, 20, 30};
  const std::vector<ActiveExpert> both = {{0, 0.25f}, {2, 0.75f}}, second = {{1, 1}};
  const std::vector<const std::vector<ActiveExpert>*> routes = {&both, &second, &both};
  const ExpertPlan plan = plan_experts(routes, 3, 2);
  // Source s of the batch has s + 1 rows.
  const auto pool = plan_pool(plan, experts, [](int32_t source) {
    return std::pair<int64_t, int64_t>(source * (source + 1) / 2, source + 1);
  });
  EXPECT_EQ(pool.rows, 4 + 2 + 4);
  ASSERT_EQ(pool.parts.size(), 3u);
  EXPECT_EQ(pool.parts[1].expert, &experts[1]);
  EXPECT_EQ(pool.parts[1].rows, 2);
  BatchRows batch{AlignedBuffer<float>(6 * kWidth), {}, {}, 6, kWidth};
  AlignedBuffer<float>& hidden = batch.hidden;
  for (int64_t row = 0; row < 6; ++row) {
    for (int64_t i = 0; i < kWidth; ++i) hidden.data()[row * kWidth + i] = value_of(row, i);
  }
  run_pool(context_, pool, batch, [&](float* rows) {
    for (const LayerPart<float>& part : pool.parts) {
      for (int64_t i = 0; i < part.rows * kWidth; ++i) *rows++ *= *part.expert;
    }
  });
  for (int64_t row = 0; row < 6; ++row) {
    const float factor = row == 1 || row == 2 ? 20.0f : 25.0f;
    for (int64_t i = 0; i < kWidth; ++i) {
      EXPECT_EQ(hidden.data()[row * kWidth + i], factor * value_of(row, i)) << row;
    }
  }
}

TEST_F(PoolRowsTest, RowsThatAllTakeOneExpertStayWhereTheyAre) {
  const std::deque<float> experts = {10, 20};
  const std::vector<ActiveExpert> second = {{1, 1}};
  const std::vector<const std::vector<ActiveExpert>*> routes = {&second, &second};
  const ExpertPlan plan = plan_experts(routes, 2, 1);
  const auto pool =
      plan_pool(plan, experts, [](int32_t row) { return std::pair(int64_t{row}, int64_t{1}); });
  BatchRows batch{AlignedBuffer<float>(2 * kWidth), {}, {}, 2, kWidth};
  const float* const before = batch.hidden.data();
  run_pool(context_, pool, batch, [&](float* rows) { EXPECT_EQ(rows, before); });
  EXPECT_EQ(batch.hidden.data(), before);
}

}  // namespace
}  // namespace trivium
