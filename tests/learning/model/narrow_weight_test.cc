#include "learning/model/narrow_weight.h"

#include <gtest/gtest.h>

#include "learning/model/bfloat16_scope.h"
#include "learning/model/random_model.h"

namespace trivium::learning {
namespace {

TEST(NarrowWeightTest, IsTheWeightOutOfScopeAndItsBfloat16Within) {
  const torch::Tensor weight = torch::randn({5, 7}).set_requires_grad(true);
  NarrowWeight narrow;
  EXPECT_TRUE(narrow.of(weight).is_same(weight));
  const Bfloat16Scope scope(true, torch::kCPU);
  EXPECT_TRUE(torch::equal(narrow.of(weight), weight.detach().to(torch::kBFloat16)));
}

TEST(NarrowWeightTest, FollowsTheWeight) {
  torch::Tensor weight = torch::randn({5, 7});
  NarrowWeight narrow;
  const Bfloat16Scope scope(true, torch::kCPU);
  const void* place = narrow.of(weight).const_data_ptr();
  EXPECT_EQ(narrow.of(weight).const_data_ptr(), place);  // nothing is cast twice
  weight.mul_(3);
  EXPECT_TRUE(torch::equal(narrow.of(weight), weight.to(torch::kBFloat16)));
  weight = torch::randn({2, 3});
  EXPECT_TRUE(torch::equal(narrow.of(weight), weight.to(torch::kBFloat16)));
}

TEST(NarrowWeightTest, GradientsReachTheWeightInFloat32) {
  const torch::Tensor weight = torch::randn({5, 7}).set_requires_grad(true);
  const torch::Tensor factor = torch::randn({5, 7}).to(torch::kBFloat16);
  NarrowWeight narrow;
  const Bfloat16Scope scope(true, torch::kCPU);
  (narrow.of(weight) * factor).to(torch::kFloat32).sum().backward();
  EXPECT_EQ(weight.grad().scalar_type(), torch::kFloat32);
  EXPECT_TRUE(torch::equal(weight.grad(), factor.to(torch::kFloat32)));
}

TEST(NarrowWeightTest, ABackwardPassAfterAChangeIsAnError) {
  torch::Tensor weight = torch::randn({5, 7}).set_requires_grad(true);
  const torch::Tensor input = torch::randn({3, 7}).to(torch::kBFloat16).set_requires_grad(true);
  NarrowWeight narrow;
  const Bfloat16Scope scope(true, torch::kCPU);
  const torch::Tensor output = at::linear(input, narrow.of(weight));
  {
    const torch::NoGradGuard no_grad;
    weight.add_(1);
  }
  narrow.of(weight);
  EXPECT_THROW(output.sum().backward(), c10::Error);
}

TEST(NarrowWeightTest, ACopyMadeInInferenceServesTraining) {
  const torch::Tensor weight = torch::randn({5, 7}).set_requires_grad(true);
  NarrowWeight narrow;
  const Bfloat16Scope scope(true, torch::kCPU);
  {
    const c10::InferenceMode inference;
    narrow.of(weight);
  }
  const torch::Tensor input = torch::ones({1, 7}, torch::kBFloat16).set_requires_grad(true);
  at::linear(input, narrow.of(weight)).sum().backward();
  EXPECT_TRUE(torch::equal(weight.grad(), torch::ones({5, 7})));
}

}  // namespace
}  // namespace trivium::learning
