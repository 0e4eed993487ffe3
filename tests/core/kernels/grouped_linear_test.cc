// The CUDA kernels of linear layers against sums in double.
#include "core/kernels/grouped_linear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "core/base/rng.h"
#include "core/kernels/cuda_device.h"
#include "core/kernels/elementary.h"

namespace trivium {
namespace {

using cuda::ExpertMatrices;
using cuda::ExpertTile;
using cuda::GroupedLinear;

// Values as the matrices' type has them.
float rounded(ComputeType type, float value) {
  return type == ComputeType::kFloat32 ? value : from_bfloat16(to_bfloat16(value));
}

std::vector<float> random_values(Rng& rng, int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(rng.normal());
  return values;
}

struct Problem {
  ComputeType type;
  int64_t columns, depth;
  std::vector<int64_t> counts;  // rows of each expert
  bool gelu = false, residual = false, narrow = false, gathered = false;
  // Rows go back to where they came from, times factors, onto the residual; some tiles are empty.
  bool scattered = false;
};

// A problem's arrays on both sides.
class Linear {
 public:
  Linear(cuda::Stream& stream, const Problem& problem)
      : problem_(problem), rng_(7 + problem.columns), stream_(stream) {
    const auto experts = static_cast<int64_t>(problem.counts.size());
    for (int64_t e = 0; e < experts; ++e) {
      for (int64_t i = 0; i < problem.counts[e]; ++i) expert_of_row_.push_back(e);
    }
    const auto rows = static_cast<int64_t>(expert_of_row_.size());
    weights_ = random_values(rng_, experts * problem.columns * problem.depth);
    for (float& weight : weights_) weight = rounded(problem.type, weight);
    bias_ = random_values(rng_, experts * problem.columns);
    input_ = random_values(rng_, rows * problem.depth);
    residual_ = random_values(rng_, rows * problem.columns);
    factors_ = random_values(rng_, rows);
    for (int64_t row = 0; row < rows; ++row) {
      index_.push_back(static_cast<int32_t>(problem.gathered ? (row * 7 + 3) % rows : row));
    }
  }

  int64_t rows() const { return static_cast<int64_t>(expert_of_row_.size()); }

  std::vector<float> run() {
    ExpertMatrices matrices = {problem_.type, nullptr, nullptr, problem_.columns, problem_.depth};
    const OnDevice<std::byte> weights(stream_, padded(matrices));
    const OnDevice<float> bias(stream_, bias_), input(stream_, input_),
        residual(stream_, residual_), factors(stream_, factors_);
    const OnDevice<int32_t> index(stream_, index_);
    matrices.weights = weights.get();
    matrices.bias = bias.get();
    int64_t most = 0;
    for (const int64_t count : problem_.counts) most = std::max(most, count);
    const int32_t tile_rows = cuda::tile_rows_for(most);
    std::vector<ExpertTile> tiles;
    int32_t first = 0;
    for (size_t e = 0; e < problem_.counts.size(); ++e) {
      for (int64_t left = problem_.counts[e]; left > 0; left -= tile_rows) {
        const auto count = static_cast<int32_t>(std::min<int64_t>(left, tile_rows));
        tiles.push_back({static_cast<int32_t>(e), first, count});
        first += count;
      }
      if (problem_.scattered) tiles.push_back({0, 0, 0});
    }
    const OnDevice<ExpertTile> device_tiles(stream_, tiles);
    GroupedLinear linear;
    linear.matrices = matrices;
    linear.rows = problem_.counts.size() == 1
                      ? cuda::dense_rows(rows())
                      : cuda::ExpertRows{device_tiles.get(), static_cast<int32_t>(tiles.size()),
                                         tile_rows, static_cast<int32_t>(rows())};
    linear.input = input.get();
    linear.input_rows = problem_.gathered ? index.get() : nullptr;
    linear.gelu = problem_.gelu;
    linear.residual = problem_.residual ? residual.get() : nullptr;
    linear.residual_rows = linear.input_rows;
    linear.narrow_out = problem_.narrow;
    if (problem_.scattered) {
      linear.out_rows = index.get();
      linear.factors = factors.get();
    }
    const auto size = static_cast<size_t>(rows() * problem_.columns);
    if (problem_.narrow && problem_.type == ComputeType::kBfloat16) {
      const OnDevice<uint16_t> out(stream_, size);
      linear.out = out.get();
      cuda::grouped_linear(stream_, linear);
      std::vector<float> values;
      for (const uint16_t value : out.to_host()) values.push_back(from_bfloat16(value));
      return values;
    }
    const OnDevice<float> out(stream_, size);
    linear.out = out.get();
    cuda::grouped_linear(stream_, linear);
    return out.to_host();
  }

  // With n = depth + 9 roundings (the products' sums, eight warps' sums, the bias), each at most
  // u = 2^-24 of a partial sum in float32, and 2^-23 on tensor cores, which may cut instead of
  // rounding, a sum is off by at most n u S, S being the sum of the terms' sizes. GELU's slope is
  // below 1.13, and erff's error of 2^-22 and three roundings are within 2^-20 |x|; then one
  // rounding of the residual's sum, and of bfloat16 (2^-8).
  void expect_near_reference(const std::vector<float>& actual, double* largest_share) {
    ASSERT_EQ(actual.size(), static_cast<size_t>(rows() * problem_.columns));
    const double u = problem_.type == ComputeType::kFloat32 ? 0x1p-24 : 0x1p-23;
    for (int64_t row = 0; row < rows(); ++row) {
      for (int64_t c = 0; c < problem_.columns; ++c) {
        const int64_t column = expert_of_row_[row] * problem_.columns + c;
        double sum = bias_[column], size = std::abs(sum);
        for (int64_t k = 0; k < problem_.depth; ++k) {
          const double term = static_cast<double>(rounded(
                                  problem_.type, input_[index_[row] * problem_.depth + k])) *
                              weights_[column * problem_.depth + k];
          sum += term;
          size += std::abs(term);
        }
        double bound = static_cast<double>(problem_.depth + 9) * u * size;
        if (problem_.gelu) {
          bound = 1.13 * bound + 0x1p-20 * std::abs(sum);
          sum = 0.5 * sum * (1 + std::erf(sum / std::sqrt(2.0)));
        }
        if (problem_.scattered) {
          bound = (bound + 0x1p-24 * std::abs(sum)) * std::abs(factors_[index_[row]]);
          sum *= factors_[index_[row]];
        }
        if (problem_.residual) {
          sum += residual_[index_[row] * problem_.columns + c];
          bound += 0x1p-24 * (std::abs(sum) + bound);
        }
        if (problem_.narrow && problem_.type == ComputeType::kBfloat16) {
          bound += 0x1p-8 * (std::abs(sum) + bound);
        }
        const int64_t out_row = problem_.scattered ? index_[row] : row;
        const double error = std::abs(actual[out_row * problem_.columns + c] - sum);
        ASSERT_TRUE(error <= bound)
            << "row " << row << ", column " << c << ": " << error << " is more than " << bound;
        *largest_share = std::max(*largest_share, error / bound);
      }
    }
  }

 private:
  std::vector<std::byte> padded(const ExpertMatrices& matrices) const {
    const int64_t size = size_of(problem_.type);
    const auto experts = static_cast<int64_t>(problem_.counts.size());
    std::vector<std::byte> bytes(
        static_cast<size_t>(experts * matrices.padded_columns() * matrices.padded_depth() * size));
    for (int64_t e = 0; e < experts; ++e) {
      for (int64_t c = 0; c < problem_.columns; ++c) {
        for (int64_t k = 0; k < problem_.depth; ++k) {
          const float value = weights_[(e * problem_.columns + c) * problem_.depth + k];
          const uint16_t narrow = to_bfloat16(value);
          std::byte* place =
              bytes.data() +
              ((e * matrices.padded_columns() + c) * matrices.padded_depth() + k) * size;
          if (size == 4) {
            std::memcpy(place, &value, 4);
          } else {
            std::memcpy(place, &narrow, 2);
          }
        }
      }
    }
    return bytes;
  }

  Problem problem_;
  Rng rng_;
  cuda::Stream& stream_;
  std::vector<int64_t> expert_of_row_;
  std::vector<int32_t> index_;
  std::vector<float> weights_, bias_, input_, residual_, factors_;
};

class GroupedLinearTest : public ::testing::TestWithParam<ComputeType> {};

TEST_P(GroupedLinearTest, AgreesWithTheSumInDouble) {
  TRIVIUM_NEEDS_CUDA();
  cuda::Stream stream(0);
  const ComputeType type = GetParam();
  const std::vector<Problem> problems = {
      {type, 1, 4, {1}},
      {type, 16, 16, {1}},
      {type, 37, 20, {3}, true},
      {type, 96, 260, {16}, false, true},
      {type, 20, 532, {17}, true, true, false, true},
      {type, 33, 64, {33}, false, false, true},
      {type, 48, 36, {70}, true, true, true, true},
      {type, 24, 24, {1, 1, 1}},
      {type, 40, 72, {2, 0, 5}, true, true, false, true},
      {type, 17, 48, {0, 18, 3}, false, true, true, true},
      {type, 18, 40, {65, 1, 0, 64}, true, false, false, true},
      {type, 24, 40, {20, 0, 3}, false, true, false, true, true},
      {type, 24, 24, {5, 4, 41}, true, false, true, true, true},
  };
  double largest_share = 0;
  for (const Problem& problem : problems) {
    SCOPED_TRACE(testing::Message() << problem.columns << " x " << problem.depth);
    Linear linear(stream, problem);
    linear.expect_near_reference(linear.run(), &largest_share);
    if (HasFatalFailure()) return;
  }
  RecordProperty("largest_share_of_bound", std::to_string(largest_share));
}

// Which rows stand beside a row must not change its numbers: a beam's ids do not depend on the
// batch.
TEST_P(GroupedLinearTest, ARowsNumbersDoNotDependOnTheRowsBesideIt) {
  TRIVIUM_NEEDS_CUDA();
  cuda::Stream stream(0);
  for (const int64_t rows : {17, 33, 70}) {
    // The generator is seeded alike, so that the first rows of the input are the same.
    Linear one(stream, {GetParam(), 20, 100, {1}});
    Linear many(stream, {GetParam(), 20, 100, {rows}});
    const std::vector<float> alone = one.run(), beside = many.run();
    for (size_t i = 0; i < alone.size(); ++i) ASSERT_EQ(alone[i], beside[i]);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, GroupedLinearTest,
                         ::testing::Values(ComputeType::kFloat32, ComputeType::kBfloat16),
                         [](const auto& type) { return std::string(name_of(type.param)); });

}  // namespace
}  // namespace trivium
