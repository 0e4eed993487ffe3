#include "learning/model/dropout.h"

#include <gtest/gtest.h>

#include <cmath>
#include <mutex>
#include <set>
#include <thread>

namespace trivium::learning {
namespace {

// Without OpenMP at::parallel_for is a plain loop, and nothing else would show it.
TEST(ParallelLoop, IsSharedByThreads) {
  const int before = at::get_num_threads();
  at::set_num_threads(2);
  std::mutex mutex;
  std::set<std::thread::id> threads;
  at::parallel_for(0, 2, 1, [&](int64_t, int64_t) {
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
  });
  at::set_num_threads(before);
  EXPECT_EQ(threads.size(), 2u);
}

TEST(DropOutTest, IsTheInputOutsideTrainingAndAtRateZero) {
  const torch::Tensor input = torch::randn({3, 5});
  EXPECT_TRUE(torch::equal(drop_out(input, 0.5, /*training=*/false), input));
  EXPECT_TRUE(torch::equal(drop_out(input, 0, /*training=*/true), input));
}

TEST(DropOutTest, DropsTheShareAndScalesTheRest) {
  for (const auto type : {torch::kFloat32, torch::kBFloat16, torch::kFloat64}) {
    for (const double rate : {0.1, 0.5, 0.9}) {
      torch::manual_seed(3);
      const torch::Tensor input = torch::ones({7, 10001}, type);
      const torch::Tensor output = drop_out(input, rate, /*training=*/true);
      EXPECT_EQ(output.scalar_type(), type);
      const torch::Tensor dropped = output == 0;
      const double share = dropped.to(torch::kFloat64).mean().item<double>();
      const double deviation = std::sqrt(rate * (1 - rate) / static_cast<double>(input.numel()));
      EXPECT_NEAR(share, rate, 5 * deviation);
      const torch::Tensor kept = output.masked_select(dropped.logical_not());
      EXPECT_TRUE(torch::equal(kept, torch::full_like(kept, 1 / (1 - rate))));
      // Neighbours are independent.
      const torch::Tensor pairs = dropped.flatten().narrow(0, 0, 70000).view({-1, 2});
      const double both = pairs.all(1).to(torch::kFloat64).mean().item<double>();
      EXPECT_NEAR(both, rate * rate, 5 * std::sqrt(rate * rate / 35000) + 1e-4);
    }
  }
}

TEST(DropOutTest, GradientIsTheMask) {
  const torch::Tensor input = torch::ones({100}, torch::kFloat64).requires_grad_();
  const torch::Tensor output = drop_out(input, 0.3, /*training=*/true);
  output.sum().backward();
  EXPECT_TRUE(torch::equal(input.grad(), output.detach()));
}

TEST(DropOutTest, TheGradientOfEveryTypeIsTheMask) {
  for (const auto type : {torch::kFloat32, torch::kBFloat16}) {
    const torch::Tensor input = torch::ones({33, 5}, type).requires_grad_();
    const torch::Tensor output = drop_out(input, 0.5, /*training=*/true);
    output.sum().backward();
    EXPECT_TRUE(torch::equal(input.grad(), output.detach()));
  }
}

TEST(AddDroppedOutTest, IsTheSumOfBoth) {
  for (const auto type : {torch::kFloat32, torch::kBFloat16, torch::kFloat64}) {
    for (const bool training : {true, false}) {
      const torch::Tensor residual = torch::randn({9, 4}), input = torch::randn({9, 4}).to(type);
      torch::manual_seed(4);
      const torch::Tensor sum = add_dropped_out(residual, input, 0.25, training);
      torch::manual_seed(4);
      const torch::Tensor expected =
          residual + drop_out(input.to(sum.scalar_type()), 0.25, training);
      EXPECT_LT((sum - expected).abs().max().item<double>(), 1e-6);
      EXPECT_EQ(sum.scalar_type(), (residual + input).scalar_type());
    }
  }
}

TEST(AddDroppedOutTest, GradientsReachBothInTheirTypes) {
  for (const auto type : {torch::kFloat32, torch::kBFloat16}) {
    const torch::Tensor residual = torch::zeros({50, 3}).requires_grad_();
    const torch::Tensor input = torch::ones({50, 3}, type).requires_grad_();
    const torch::Tensor sum = add_dropped_out(residual, input, 0.5, /*training=*/true);
    sum.sum().backward();
    EXPECT_TRUE(torch::equal(residual.grad(), torch::ones({50, 3})));
    EXPECT_EQ(input.grad().scalar_type(), type);
    EXPECT_TRUE(torch::equal(input.grad().to(torch::kFloat32), sum.detach()));
  }
}

TEST(DropOutTest, TheSeedDecides) {
  const torch::Tensor input = torch::ones({64});
  torch::manual_seed(8);
  const torch::Tensor first = drop_out(input, 0.5, true), second = drop_out(input, 0.5, true);
  torch::manual_seed(8);
  EXPECT_TRUE(torch::equal(drop_out(input, 0.5, true), first));
  EXPECT_FALSE(torch::equal(first, second));
}

}  // namespace
}  // namespace trivium::learning
