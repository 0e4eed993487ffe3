// CUDA's output layer that is reduced as it is computed, against a sort of all its logits.
#include "core/kernels/vocabulary_scan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/rng.h"
#include "core/kernels/cuda_device.h"
#include "core/kernels/elementary.h"

namespace trivium {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Scanned {
  std::vector<cuda::ScoredToken> best;  // [rows, count]
  std::vector<cuda::ExpSum> sums;       // [rows]
  std::vector<float> logits;            // [rows, vocab_size], of the unreduced product
};

Scanned scan(cuda::Stream& stream, ComputeType type, int64_t vocab_size, int64_t depth,
             int32_t rows, int32_t count, const std::vector<std::vector<int32_t>>& banned,
             const std::vector<float>& bias_values) {
  cuda::ExpertMatrices matrices = {type, nullptr, nullptr, vocab_size, depth};
  Rng rng(11);
  const auto size = static_cast<size_t>(matrices.padded_columns() * matrices.padded_depth());
  std::vector<float> weights(size, 0.0f);
  for (int64_t c = 0; c < vocab_size; ++c) {
    // Whole numbers, which give equal logits for different tokens now and then.
    for (int64_t k = 0; k < depth; ++k) {
      weights[c * matrices.padded_depth() + k] = static_cast<float>(rng.below(5)) - 2;
    }
  }
  std::vector<uint16_t> narrow;
  for (const float weight : weights) narrow.push_back(to_bfloat16(weight));
  std::vector<float> hidden(static_cast<size_t>(rows * depth));
  for (float& value : hidden) value = static_cast<float>(rng.below(7)) - 3;
  std::vector<int32_t> begins = {0}, bans;
  for (int32_t row = 0; row < rows; ++row) {
    if (row < static_cast<int32_t>(banned.size())) {
      bans.insert(bans.end(), banned[row].begin(), banned[row].end());
    }
    begins.push_back(static_cast<int32_t>(bans.size()));
  }
  const OnDevice<float> wide(stream, weights), bias(stream, bias_values), input(stream, hidden),
      logits(stream, static_cast<size_t>(rows * vocab_size));
  const OnDevice<uint16_t> short_weights(stream, narrow);
  const OnDevice<int32_t> ban_begins(stream, begins), device_bans(stream, bans);
  const OnDevice<cuda::ScoredToken> best(stream, static_cast<size_t>(rows * count));
  const OnDevice<cuda::ExpSum> sums(stream, static_cast<size_t>(rows));
  const cuda::DeviceMemory scratch(
      static_cast<size_t>(cuda::vocabulary_scan_scratch(vocab_size, rows, count)));
  matrices.weights = short_weights.get();
  if (type == ComputeType::kFloat32) matrices.weights = wide.get();
  matrices.bias = bias.get();
  cuda::vocabulary_scan(stream, {matrices, input.get(), rows, count, ban_begins.get(),
                                 device_bans.get(), best.get(), sums.get(), scratch.as<void>()});
  cuda::GroupedLinear linear;
  linear.matrices = matrices;
  linear.rows = cuda::dense_rows(rows);
  linear.input = input.get();
  linear.out = logits.get();
  cuda::grouped_linear(stream, linear);
  return {best.to_host(), sums.to_host(), logits.to_host()};
}

void expect_scan_of_logits(const Scanned& found, int64_t vocab_size, int32_t rows, int32_t count,
                           const std::vector<std::vector<int32_t>>& banned) {
  for (int32_t row = 0; row < rows; ++row) {
    SCOPED_TRACE(row);
    const float* logits = found.logits.data() + row * vocab_size;
    std::vector<int32_t> tokens;
    double sum = 0;
    const float max = *std::max_element(logits, logits + vocab_size);
    for (int32_t token = 0; token < vocab_size; ++token) {
      sum += std::exp(static_cast<double>(logits[token]) - max);
      const bool is_banned = row < static_cast<int32_t>(banned.size()) &&
                             std::binary_search(banned[row].begin(), banned[row].end(), token);
      if (!is_banned && logits[token] > -kInfinity) tokens.push_back(token);
    }
    std::stable_sort(tokens.begin(), tokens.end(),
                     [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
    for (int32_t n = 0; n < count; ++n) {
      const cuda::ScoredToken& best = found.best[row * count + n];
      if (n >= static_cast<int32_t>(tokens.size())) {
        ASSERT_EQ(best.token, -1);
        continue;
      }
      ASSERT_EQ(best.token, tokens[n]) << "place " << n;
      ASSERT_EQ(best.logit, logits[tokens[n]]);
    }
    ASSERT_EQ(found.sums[row].max, max);
    // expf is off by 2 u and its argument by u |x| <= 100 u; seven sums of a tile.
    ASSERT_NEAR(found.sums[row].sum / sum, 1, 110 * 0x1p-24);
  }
}

TEST(VocabularyScanTest, FindsWhatASortOfAllLogitsFinds) {
  TRIVIUM_NEEDS_CUDA();
  cuda::Stream stream(0);
  struct Sizes {
    int64_t vocab_size;
    int32_t rows, count;
  };
  for (const ComputeType type : {ComputeType::kFloat32, ComputeType::kBfloat16}) {
    for (const auto& [vocab_size, rows, count] :
         {Sizes{2, 1, 1}, Sizes{50, 3, 8}, Sizes{128, 17, 1}, Sizes{129, 5, 128},
          Sizes{1000, 35, 8}, Sizes{700, 70, 2}, Sizes{33000, 1, 3}}) {
      SCOPED_TRACE(testing::Message() << name_of(type) << " " << vocab_size << " x " << rows);
      std::vector<float> bias(static_cast<size_t>(vocab_size), 0.0f);
      if (vocab_size > 50) bias[7] = -kInfinity;
      std::vector<std::vector<int32_t>> banned = {{0}, {1, 30, 49}};
      if (vocab_size <= 50) banned = {{0}};
      const Scanned found = scan(stream, type, vocab_size, 12, rows, count, banned, bias);
      expect_scan_of_logits(found, vocab_size, rows, count, banned);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(VocabularyScanTest, NumbersThatAreNoneReachTheSum) {
  TRIVIUM_NEEDS_CUDA();
  cuda::Stream stream(0);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), kInfinity}) {
    std::vector<float> bias(300, 0.0f);
    bias[200] = bad;
    const Scanned found = scan(stream, ComputeType::kFloat32, 300, 8, 2, 2, {}, bias);
    for (const cuda::ExpSum& sum : found.sums) {
      EXPECT_FALSE(std::isfinite(sum.sum) && std::isfinite(sum.max));
    }
  }
  const std::vector<float> nothing(300, -kInfinity);
  const Scanned found = scan(stream, ComputeType::kFloat32, 300, 8, 1, 2, {}, nothing);
  EXPECT_EQ(found.best[0].token, -1);
  EXPECT_EQ(found.sums[0].max, -kInfinity);
}

}  // namespace
}  // namespace trivium
