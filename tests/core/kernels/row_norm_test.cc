// CUDA's LayerNorm, mixture and embedding against double.
#include "core/kernels/row_norm.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/base/rng.h"
#include "core/kernels/cuda_device.h"
#include "core/kernels/elementary.h"

namespace trivium {
namespace {

constexpr float kEps = 1e-5f;

std::vector<float> random_values(Rng& rng, int64_t count, double mean = 0) {
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(rng.normal() + mean);
  return values;
}

struct Normed {
  double value = 0, bound = 0;
};

// The norm of a row in double, and how far float32 may be off. A sum of w terms in w / 256 + 14
// steps is off by n u of the terms' sizes (n: the steps, u = 2^-24), so the mean by n u mean|x|,
// and a difference from it by as much and a rounding. The variance has the relative error n u of a
// sum, and twice the differences' error over the deviation; its root half of that. Four roundings
// follow.
std::vector<Normed> norm_in_double(const float* row, int64_t width, const float* gamma,
                                   const float* beta) {
  constexpr double kU = 0x1p-24;
  const double n = static_cast<double>(width) / 256 + 14;
  double mean = 0, size = 0, variance = 0;
  for (int64_t i = 0; i < width; ++i) {
    mean += row[i] / static_cast<double>(width);
    size += std::abs(row[i]) / static_cast<double>(width);
  }
  for (int64_t i = 0; i < width; ++i) {
    variance += (row[i] - mean) * (row[i] - mean) / static_cast<double>(width);
  }
  const double deviation = std::sqrt(variance + kEps);
  const double apart_error = (n + 2) * kU * size;
  const double scale_error = (n + 4) * kU + 2 * apart_error / deviation;
  std::vector<Normed> result(static_cast<size_t>(width));
  for (int64_t i = 0; i < width; ++i) {
    const double scaled = (row[i] - mean) / deviation * gamma[i];
    result[i].value = scaled + beta[i];
    result[i].bound = std::abs(gamma[i]) * apart_error / deviation +
                      (scale_error + 4 * kU) * std::abs(scaled) + kU * std::abs(result[i].value);
  }
  return result;
}

TEST(RowNormTest, AgreesWithDouble) {
  TRIVIUM_NEEDS_CUDA();
  cuda::Stream stream(0);
  for (const int64_t width : {4, 24, 255, 256, 257, 768, 1024}) {
    Rng rng(3);
    constexpr int64_t kRows = 5, kExperts = 3;
    const auto in = random_values(rng, kRows * width, 0.5);
    const auto gamma = random_values(rng, kExperts * width),
               beta = random_values(rng, kExperts * width);
    const std::vector<int32_t> experts = {0, 2, 1, 1, 0};
    const OnDevice<float> values(stream, in), gammas(stream, gamma), betas(stream, beta);
    const OnDevice<int32_t> device_experts(stream, experts);
    cuda::norm_rows(stream, {values.get(),
                             values.get(),  // in its place
                             {gammas.get(), betas.get(), kEps},
                             device_experts.get(),
                             nullptr,
                             nullptr,
                             1,
                             kRows,
                             width});
    const std::vector<float> out = values.to_host();
    for (int64_t row = 0; row < kRows; ++row) {
      const int64_t at = experts[row] * width;
      const auto expected =
          norm_in_double(in.data() + row * width, width, gamma.data() + at, beta.data() + at);
      for (int64_t i = 0; i < width; ++i) {
        ASSERT_LE(std::abs(out[row * width + i] - expected[i].value), expected[i].bound);
      }
    }
  }
}

TEST(RowNormTest, MixesTheUsesOfARow) {
  TRIVIUM_NEEDS_CUDA();
  cuda::Stream stream(0);
  constexpr int64_t kWidth = 300, kUses = 6, kRows = 4, kExperts = 3;
  Rng rng(4);
  const auto in = random_values(rng, kUses * kWidth), gamma = random_values(rng, kExperts * kWidth),
             beta = random_values(rng, kExperts * kWidth);
  // Rows with two, one, none and three experts.
  const std::vector<int32_t> experts = {0, 0, 1, 1, 2, 2};
  const std::vector<int32_t> uses = {1, 3, -1, 0, -1, -1, -1, -1, -1, 2, 4, 5};
  const std::vector<float> weights = {1, 0.25f, 0.5f, 0.75f, 0.125f, 0.375f};
  const OnDevice<float> values(stream, in), gammas(stream, gamma), betas(stream, beta),
      device_weights(stream, weights), out(stream, kRows * kWidth);
  const OnDevice<int32_t> device_experts(stream, experts), device_uses(stream, uses);
  cuda::norm_rows(stream, {values.get(),
                           out.get(),
                           {gammas.get(), betas.get(), kEps},
                           device_experts.get(),
                           device_uses.get(),
                           device_weights.get(),
                           3,
                           kRows,
                           kWidth});
  const std::vector<float> mixed = out.to_host();
  for (int64_t row = 0; row < kRows; ++row) {
    std::vector<Normed> expected(kWidth);
    for (int64_t slot = 0; slot < 3; ++slot) {
      const int32_t use = uses[row * 3 + slot];
      if (use < 0) continue;
      const int64_t at = experts[use] * kWidth;
      const auto one =
          norm_in_double(in.data() + use * kWidth, kWidth, gamma.data() + at, beta.data() + at);
      for (int64_t i = 0; i < kWidth; ++i) {
        expected[i].value += weights[use] * one[i].value;
        // And the roundings of a product and of at most three sums.
        expected[i].bound += weights[use] * (one[i].bound + 4 * 0x1p-24 * std::abs(one[i].value));
      }
    }
    for (int64_t i = 0; i < kWidth; ++i) {
      ASSERT_LE(std::abs(mixed[row * kWidth + i] - expected[i].value), expected[i].bound);
    }
  }
}

TEST(RowEmbeddingTest, AgreesWithDouble) {
  TRIVIUM_NEEDS_CUDA();
  cuda::Stream stream(0);
  constexpr int64_t kWidth = 40, kStride = 64, kTokens = 7, kPositions = 5;
  const std::vector<int32_t> ids = {6, 0, 3}, positions = {4, 0, 2};
  constexpr float kScale = 2;
  for (const ComputeType type : {ComputeType::kFloat32, ComputeType::kBfloat16}) {
    Rng rng(5);
    std::vector<float> table = random_values(rng, kTokens * kStride);
    std::vector<uint16_t> narrow;
    for (float& value : table) {
      narrow.push_back(to_bfloat16(value));
      if (type == ComputeType::kBfloat16) value = from_bfloat16(narrow.back());
    }
    const auto places = random_values(rng, kPositions * kWidth), gamma = random_values(rng, kWidth),
               beta = random_values(rng, kWidth);
    const OnDevice<float> wide_table(stream, table), device_places(stream, places),
        gammas(stream, gamma), betas(stream, beta), out(stream, ids.size() * kWidth);
    const OnDevice<uint16_t> narrow_table(stream, narrow);
    const OnDevice<int32_t> device_ids(stream, ids), device_positions(stream, positions);
    cuda::RowEmbedding embedding;
    embedding.type = type;
    embedding.table = narrow_table.get();
    if (type == ComputeType::kFloat32) embedding.table = wide_table.get();
    embedding.table_stride = kStride;
    embedding.position_table = device_places.get();
    embedding.ids = device_ids.get();
    embedding.positions = device_positions.get();
    embedding.scale = kScale;
    embedding.norm = {gammas.get(), betas.get(), kEps};
    embedding.out = out.get();
    embedding.rows = static_cast<int64_t>(ids.size());
    embedding.width = kWidth;
    cuda::embed_rows(stream, embedding);
    const std::vector<float> found = out.to_host();
    for (size_t row = 0; row < ids.size(); ++row) {
      std::vector<float> sum(kWidth);  // a power of two times a number is exact, the sum rounds
      for (int64_t i = 0; i < kWidth; ++i) {
        sum[i] = table[ids[row] * kStride + i] * kScale + places[positions[row] * kWidth + i];
      }
      const auto expected = norm_in_double(sum.data(), kWidth, gamma.data(), beta.data());
      for (int64_t i = 0; i < kWidth; ++i) {
        ASSERT_LE(std::abs(found[row * kWidth + i] - expected[i].value), expected[i].bound);
      }
    }
  }
}

}  // namespace
}  // namespace trivium
