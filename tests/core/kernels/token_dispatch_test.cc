// CUDA's token gates against the CPU's, and the tiles against a count of the rows.
#include "core/kernels/token_dispatch.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/base/rng.h"
#include "core/kernels/cuda_device.h"
#include "core/kernels/token_gate.h"

namespace trivium {
namespace {

using cuda::ExpertTile;

struct Problem {
  int64_t rows, depth;
  int32_t num_experts;
  float factor_scale = 0;
  bool one_expert = false;  // all rows choose the same
};

struct Dispatched {
  std::vector<int32_t> experts, order;
  std::vector<float> factors;
  std::vector<ExpertTile> tiles;
};

class TokenDispatchTest : public ::testing::Test {
 protected:
  static constexpr int64_t kGates = 3;

  void make(const Problem& problem) {
    Rng rng(problem.rows);
    const int64_t size = problem.num_experts * problem.depth;
    tokens_.clear(), weights_.clear(), gate_of_rows_.clear();
    for (int64_t i = 0; i < problem.rows * problem.depth; ++i) {
      tokens_.push_back(static_cast<float>(rng.normal()));
    }
    for (int64_t i = 0; i < kGates * size; ++i) {
      weights_.push_back(problem.one_expert ? 0.0f : static_cast<float>(rng.normal()));
    }
    for (int64_t i = 0; i < problem.rows; ++i) {
      gate_of_rows_.push_back(static_cast<int32_t>(rng.below(kGates)));
    }
  }

  Dispatched run(const Problem& problem, int32_t tile_rows) {
    cuda::Stream stream(0);
    const OnDevice<float> tokens(stream, tokens_), weights(stream, weights_);
    const OnDevice<int32_t> gate_of_rows(stream, gate_of_rows_);
    const auto rows = static_cast<size_t>(problem.rows);
    const OnDevice<int32_t> experts(stream, rows), order(stream, rows);
    const OnDevice<float> factors(stream, rows);
    cuda::TokenDispatch dispatch;
    dispatch.gates = {weights.get(), kGates, problem.num_experts, problem.depth,
                      problem.factor_scale};
    dispatch.input = tokens.get();
    dispatch.gate_of_rows = gate_of_rows.get();
    dispatch.rows = static_cast<int32_t>(problem.rows);
    dispatch.tile_rows = tile_rows;
    const OnDevice<ExpertTile> tiles(stream, static_cast<size_t>(dispatch.num_tiles()));
    dispatch.experts = experts.get();
    dispatch.factors = factors.get();
    dispatch.order = order.get();
    dispatch.tiles = tiles.get();
    cuda::dispatch_tokens(stream, dispatch);
    return {experts.to_host(), order.to_host(), factors.to_host(), tiles.to_host()};
  }

  std::vector<float> tokens_, weights_;
  std::vector<int32_t> gate_of_rows_;
};

TEST_F(TokenDispatchTest, ChoosesAsTheCpuAndSortsByExpert) {
  TRIVIUM_NEEDS_CUDA();
  const std::vector<Problem> problems = {{1, 24, 4, 1},          {5, 1, 2},
                                         {40, 33, 3, 4},         {300, 24, 6, 1},
                                         {1025, 40, 4, 4, true}, {700, 8, 32, 1}};
  for (const Problem& problem : problems) {
    SCOPED_TRACE(testing::Message() << problem.rows << " rows, " << problem.num_experts);
    make(problem);
    for (const int32_t tile_rows : {16, 64}) {
      const Dispatched found = run(problem, tile_rows);
      std::vector<int32_t> sorted;  // stable
      for (int32_t e = 0; e < problem.num_experts; ++e) {
        for (int32_t row = 0; row < problem.rows; ++row) {
          if (found.experts[row] == e) sorted.push_back(row);
        }
      }
      ASSERT_EQ(found.order, sorted);
      for (int64_t row = 0; row < problem.rows; ++row) {
        const GateChoice choice = choose_expert(
            tokens_.data() + row * problem.depth, problem.depth,
            weights_.data() + gate_of_rows_[row] * problem.num_experts * problem.depth,
            problem.num_experts);
        ASSERT_EQ(found.experts[row], choice.expert) << "row " << row;
        // Both are sums of at most 40 products near 1, some 40 * 2^-24 of them off.
        const float factor =
            problem.factor_scale == 0 ? 1 : choice.probability * problem.factor_scale;
        ASSERT_NEAR(found.factors[row], factor, 1e-4);
      }
    }
  }
}

TEST_F(TokenDispatchTest, TilesHoldEveryRowOnceAndOneExpertEach) {
  TRIVIUM_NEEDS_CUDA();
  for (const Problem& problem :
       {Problem{1, 8, 4}, {40, 8, 3}, {64, 8, 4, 0, true}, {301, 8, 6}, {10, 8, 32}}) {
    SCOPED_TRACE(testing::Message() << problem.rows << " rows");
    make(problem);
    for (const int32_t tile_rows : {16, 32}) {
      const Dispatched found = run(problem, tile_rows);
      int32_t next = 0;
      for (const ExpertTile& tile : found.tiles) {
        if (tile.count == 0) continue;
        ASSERT_EQ(tile.first, next);
        ASSERT_LE(tile.count, tile_rows);
        for (int32_t place = 0; place < tile.count; ++place) {
          ASSERT_EQ(found.experts[found.order[tile.first + place]], tile.expert);
        }
        next += tile.count;
      }
      ASSERT_EQ(next, problem.rows) << "there are too few tiles";
    }
  }
}

}  // namespace
}  // namespace trivium
