#include "learning/model/squared_norm.h"

#include <gtest/gtest.h>

#include <vector>

namespace trivium::learning {
namespace {

TEST(SquaredNormTest, AgreesWithDouble) {
  torch::manual_seed(1);
  for (const std::vector<int64_t>& shape :
       std::vector<std::vector<int64_t>>{{0}, {7}, {300, 1001}, {64, 2048}}) {
    const torch::Tensor tensor = torch::randn(shape);
    const double expected = tensor.to(torch::kFloat64).square().sum().item<double>();
    EXPECT_NEAR(squared_norm(tensor), expected, 17 * 6e-8 * expected);
    EXPECT_NEAR(squared_norm(tensor.to(torch::kFloat64)), expected, 1e-12 * expected);
  }
  const torch::Tensor wide = torch::randn({40, 30});
  EXPECT_DOUBLE_EQ(squared_norm(wide.t()), squared_norm(wide.t().contiguous()));
}

TEST(SquaredNormTest, DoesNotDependOnTheNumberOfThreads) {
  const torch::Tensor tensor = torch::randn({501, 1003});
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const double one = squared_norm(tensor);
  at::set_num_threads(3);
  EXPECT_EQ(squared_norm(tensor), one);
  at::set_num_threads(before);
}

}  // namespace
}  // namespace trivium::learning
