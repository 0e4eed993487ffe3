// Attention against the same in double, by every instruction set.
#include "core/kernels/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "core/base/rng.h"

namespace trivium {
namespace {

std::vector<float> random_values(int64_t count, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(rng.uniform() * 4 - 2);
  return values;
}

struct Problem {
  int64_t len, heads, head_dim, queries;
  int64_t width() const { return heads * head_dim; }
};

// out[query][width] in double.
std::vector<double> expected_attention(const Problem& problem, const std::vector<float>& queries,
                                       const std::vector<float>& keys,
                                       const std::vector<float>& values) {
  const int64_t width = problem.width();
  std::vector<double> out(static_cast<size_t>(problem.queries * width), 0.0);
  for (int64_t q = 0; q < problem.queries; ++q) {
    for (int64_t head = 0; head < problem.heads; ++head) {
      const int64_t offset = head * problem.head_dim;
      std::vector<double> weights(static_cast<size_t>(problem.len));
      double total = 0;
      for (int64_t i = 0; i < problem.len; ++i) {
        double score = 0;
        for (int64_t d = 0; d < problem.head_dim; ++d) {
          score +=
              static_cast<double>(queries[q * width + offset + d]) * keys[i * width + offset + d];
        }
        weights[i] = std::exp(score / std::sqrt(static_cast<double>(problem.head_dim)));
        total += weights[i];
      }
      for (int64_t i = 0; i < problem.len; ++i) {
        for (int64_t d = 0; d < problem.head_dim; ++d) {
          out[q * width + offset + d] += weights[i] / total * values[i * width + offset + d];
        }
      }
    }
  }
  return out;
}

// Scores are sums of head_dim <= 64 products of at most 4, divided by sqrt(head_dim); a relative
// error u of each factor moves a score by at most 2 u * 4 * 64 / 8 = 64 u, a weight by that share,
// and the mixture of values of at most 2 by twice 64 u plus the rounding of weights and values.
// Typical errors are a tenth of it, as signs cancel.
double bound(ComputeType type) {
  return type == ComputeType::kFloat32 ? 140 * 6e-8 : 0.14 * 140.0 / 256;
}

class AttentionTest : public ::testing::TestWithParam<ComputeType> {};

TEST_P(AttentionTest, PackedKeysAndValues) {
  for (const InstructionSet set : available_instruction_sets()) {
    const BlockKernels& kernels = block_kernels(set);
    PackedKeysValues memory(GetParam());
    AttentionScratch scratch;
    // In this order, so that a longer sequence leaves its values where a shorter one has padding.
    for (const Problem& problem : {Problem{70, 2, 64, 40}, Problem{33, 3, 20, 1},
                                   Problem{1, 2, 8, 2}, Problem{64, 1, 32, 33}}) {
      SCOPED_TRACE(testing::Message() << name_of(set) << ", length " << problem.len);
      const int64_t width = problem.width();
      const auto queries = random_values(problem.queries * width, 1);
      const auto keys = random_values(problem.len * width, 2);
      const auto values = random_values(problem.len * width, 3);
      const auto expected = expected_attention(problem, queries, keys, values);
      std::vector<float> out(expected.size());
      memory.resize(problem.len, problem.heads, problem.head_dim);
      scratch.reserve_packed(kernels, GetParam(), problem.head_dim, problem.len);
      kernels.begin();
      for (int64_t head = 0; head < problem.heads; ++head) {
        const int64_t offset = head * problem.head_dim;
        memory.pack_head(head, keys.data() + offset, values.data() + offset, width);
        attend_packed(kernels, memory, head, problem.head_dim, queries.data() + offset, width,
                      problem.queries, out.data() + offset, width, scratch);
      }
      kernels.end();
      for (size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], expected[i], bound(GetParam()));
    }
  }
}

TEST_P(AttentionTest, CachedPositions) {
  for (const Problem& problem : {Problem{37, 2, 64, 1}, Problem{1, 3, 20, 1}}) {
    const int64_t width = problem.width(), stride = 2 * width;
    const auto query = random_values(width, 1);
    const auto keys = random_values(problem.len * width, 2);
    const auto values = random_values(problem.len * width, 3);
    const auto expected = expected_attention(problem, query, keys, values);
    const int64_t bytes = size_of(GetParam());
    std::vector<std::byte> cache(static_cast<size_t>(problem.len * stride * bytes));
    std::vector<int32_t> cells;
    for (int64_t i = 0; i < problem.len; ++i) {
      const int64_t cell = (i * 5 + 3) % problem.len;  // 5 and 37 have no common divisor
      cells.push_back(static_cast<int32_t>(cell));
      std::byte* place = cache.data() + cell * stride * bytes;
      store_cached(GetParam(), keys.data() + i * width, width, place);
      store_cached(GetParam(), values.data() + i * width, width, place + width * bytes);
    }
    std::vector<float> out(static_cast<size_t>(width));
    AttentionScratch scratch;
    scratch.reserve_cached(problem.len);
    for (int64_t head = 0; head < problem.heads; ++head) {
      const int64_t offset = head * problem.head_dim;
      attend_cached(GetParam(), cache.data() + offset * bytes, stride, width, cells,
                    problem.head_dim, query.data() + offset, out.data() + offset, scratch);
    }
    for (size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], expected[i], bound(GetParam()));
  }
}

// Attention is part of loops of several threads, where it may not allocate.
TEST_P(AttentionTest, ALackOfRoomIsABug) {
  const int64_t len = 40, head_dim = 16;
  const auto values = random_values(len * head_dim, 1);
  std::vector<float> out(static_cast<size_t>(head_dim));
  PackedKeysValues memory(GetParam());
  memory.resize(len, 1, head_dim);
  memory.pack_head(0, values.data(), values.data(), head_dim);
  const BlockKernels& kernels = block_kernels(InstructionSet::kPortable);
  const std::vector<int32_t> cells(static_cast<size_t>(len), 0);
  const std::vector<std::byte> cell(static_cast<size_t>(2 * head_dim * size_of(GetParam())));
  AttentionScratch scratch;
  const auto attend_to_source = [&] {
    attend_packed(kernels, memory, 0, head_dim, values.data(), head_dim, 1, out.data(), head_dim,
                  scratch);
  };
  const auto attend_to_cells = [&] {
    attend_cached(GetParam(), cell.data(), 0, head_dim, cells, head_dim, values.data(), out.data(),
                  scratch);
  };
  scratch.reserve_packed(kernels, GetParam(), head_dim, 32);
  scratch.reserve_cached(len - 1);
  EXPECT_THROW(attend_to_source(), std::logic_error);
  EXPECT_THROW(attend_to_cells(), std::logic_error);
  scratch.reserve_packed(kernels, GetParam(), head_dim, len);
  scratch.reserve_cached(len);
  EXPECT_NO_THROW(attend_to_source());
  EXPECT_NO_THROW(attend_to_cells());
}

INSTANTIATE_TEST_SUITE_P(Types, AttentionTest,
                         ::testing::Values(ComputeType::kFloat32, ComputeType::kBfloat16));

}  // namespace
}  // namespace trivium
