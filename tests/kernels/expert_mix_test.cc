#include "kernels/expert_mix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "kernels/device_array.h"

namespace trivium {
namespace {

struct Sizes {
  int num_experts;
  int64_t rows;
  int64_t width;
};

// The inputs of one mix, on the host.
struct Inputs {
  Sizes sizes;
  std::vector<std::vector<float>> experts;  // num_experts of [rows, width]
  std::vector<float> weights;               // [rows, num_experts]
};

// Normal values; about a third of the weights are 0, others are of either sign.
Inputs random_inputs(const Sizes& sizes, uint64_t seed) {
  Rng rng(seed);
  Inputs inputs{sizes, {}, {}};
  inputs.experts.resize(sizes.num_experts);
  for (auto& expert : inputs.experts) {
    expert.resize(sizes.rows * sizes.width);
    for (float& value : expert) value = static_cast<float>(rng.normal());
  }
  inputs.weights.resize(sizes.rows * sizes.num_experts);
  for (float& weight : inputs.weights) {
    weight = rng.below(3) == 0 ? 0.0F : static_cast<float>(rng.normal());
  }
  return inputs;
}

// Runs the kernel with every array beginning `offset` floats after an aligned address. The output
// is filled with NaN before, so that a value that is not written shows.
std::vector<float> run(Device device, const Inputs& inputs, size_t offset) {
  const auto& [num_experts, rows, width] = inputs.sizes;
  std::vector<DeviceArray> experts;
  std::vector<const float*> pointers;
  for (const auto& expert : inputs.experts) {
    // No memory at all stands for an expert that was not computed.
    experts.emplace_back(device, expert, offset);
    pointers.push_back(expert.empty() ? nullptr : experts.back().data());
  }
  const DeviceArray weights(device, inputs.weights, offset);
  const std::vector<float> unwritten(rows * width, std::numeric_limits<float>::quiet_NaN());
  const DeviceArray out(device, unwritten, offset);
  mix_expert_outputs(device,
                     {out.data(), pointers.data(), weights.data(), num_experts, rows, width});
  return out.to_host();
}

// Compares with the sum in double. Each of at most E terms w * x is rounded once as a product and
// at most E - 1 times in partial sums, so with u = 2^-24 the error is at most gamma_E * sum |w x|
// where gamma_n = n u / (1 - n u) (Higham, Accuracy and Stability, 3.1); the sum in double adds
// less than one u. A fused multiply-add only leaves roundings out.
void expect_near_reference(const Inputs& inputs, const std::vector<float>& actual) {
  const auto& [num_experts, rows, width] = inputs.sizes;
  const double n_u = (num_experts + 1) * 0x1.0p-24;
  const double gamma = n_u / (1 - n_u);
  ASSERT_EQ(actual.size(), static_cast<size_t>(rows * width));
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < width; ++i) {
      double sum = 0;
      double magnitude = 0;
      for (int e = 0; e < num_experts; ++e) {
        const double weight = inputs.weights[row * num_experts + e];
        if (weight == 0) continue;
        const double term = weight * inputs.experts[e][row * width + i];
        sum += term;
        magnitude += std::abs(term);
      }
      // Written so that NaN fails.
      ASSERT_TRUE(std::abs(actual[row * width + i] - sum) <= gamma * magnitude)
          << "row " << row << ", column " << i << ": " << actual[row * width + i] << ", not "
          << sum;
    }
  }
}

class ExpertMixTest : public testing::TestWithParam<Device> {};

TEST_P(ExpertMixTest, AgreesWithTheSumInDouble) {
  TRIVIUM_SKIP_WITHOUT(GetParam());
  // Around vector lengths, blocks and the edges of both kernels; kMaxMixedExperts once.
  const std::vector<Sizes> all_sizes = {
      {1, 1, 1},    {3, 1, 7},     {3, 5, 16},   {2, 3, 31},   {3, 2, 768},
      {4, 3, 1023}, {3, 2, 1024},  {5, 2, 1025}, {8, 7, 2049}, {kMaxMixedExperts, 2, 33},
      {3, 1, 4099}, {3, 300, 257},
  };
  for (const Sizes& sizes : all_sizes) {
    for (const size_t offset : {0, 1, 3}) {
      SCOPED_TRACE(testing::Message() << sizes.num_experts << " experts, " << sizes.rows << " x "
                                      << sizes.width << ", offset " << offset);
      const Inputs inputs = random_inputs(sizes, 17 + sizes.width + offset);
      expect_near_reference(inputs, run(GetParam(), inputs, offset));
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(ExpertMixTest, MixesMoreRowsThanACudaGridHas) {
  TRIVIUM_SKIP_WITHOUT(GetParam());
  const Inputs inputs = random_inputs({2, 65535 + 3, 4}, 5);
  expect_near_reference(inputs, run(GetParam(), inputs, 0));
}

TEST_P(ExpertMixTest, HandlesNoRowsAndNoWidth) {
  TRIVIUM_SKIP_WITHOUT(GetParam());
  EXPECT_TRUE(run(GetParam(), random_inputs({3, 0, 5}, 1), 0).empty());
  EXPECT_TRUE(run(GetParam(), random_inputs({3, 4, 0}, 1), 0).empty());
}

TEST_P(ExpertMixTest, OneHotRouteIsThatExpertBitForBit) {
  TRIVIUM_SKIP_WITHOUT(GetParam());
  Inputs inputs = random_inputs({3, 3, 100}, 2);
  inputs.weights = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  const std::vector<float> actual = run(GetParam(), inputs, 0);
  for (int64_t row = 0; row < 3; ++row) {
    for (int64_t i = 0; i < 100; ++i) {
      ASSERT_EQ(actual[row * 100 + i], inputs.experts[row][row * 100 + i]);
    }
  }
}

TEST_P(ExpertMixTest, ReadsNoExpertWhoseWeightIsZero) {
  TRIVIUM_SKIP_WITHOUT(GetParam());
  Inputs inputs = random_inputs({3, 2, 40}, 3);
  inputs.weights = {0.5F, 0, 0, 0.25F, 0, 0.75F};
  inputs.experts[1].clear();  // a null pointer
  for (int64_t i = 0; i < 40; ++i) {
    inputs.experts[2][i] = std::numeric_limits<float>::quiet_NaN();  // row 0, where its weight is 0
  }
  expect_near_reference(inputs, run(GetParam(), inputs, 0));
}

TEST_P(ExpertMixTest, RowWithoutExpertsBecomesZero) {
  TRIVIUM_SKIP_WITHOUT(GetParam());
  Inputs inputs = random_inputs({2, 2, 50}, 4);
  inputs.weights = {0, 0, 1, 1};
  expect_near_reference(inputs, run(GetParam(), inputs, 0));
}

INSTANTIATE_TEST_SUITE_P(Devices, ExpertMixTest, testing::Values(Device::kCpu, Device::kCuda),
                         testing::PrintToStringParamName());

TEST(ExpertMixContractTest, RejectsSizesThatOnlyABugCanGive) {
  ExpertMix mix;
  mix.num_experts = kMaxMixedExperts + 1;
  EXPECT_THROW(mix_expert_outputs(Device::kCpu, mix), std::logic_error);
  mix.num_experts = 0;
  EXPECT_THROW(mix_expert_outputs(Device::kCpu, mix), std::logic_error);
  mix.num_experts = 1;
  mix.rows = -1;
  EXPECT_THROW(mix_expert_outputs(Device::kCpu, mix), std::logic_error);
}

TEST(ExpertMixContractTest, CudaWithoutADeviceIsAnErrorThatSaysWhatToDo) {
  if (cuda_device_count() > 0) GTEST_SKIP() << "skipped: this machine has a CUDA device";
  float value = 1;
  const float* expert = &value;
  try {
    mix_expert_outputs(Device::kCuda, {&value, &expert, &value, 1, 1, 1});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUnavailable);
    EXPECT_NE(std::string(error.what()).find("--device cpu"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace trivium
