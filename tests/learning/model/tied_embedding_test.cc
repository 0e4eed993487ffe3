#include "learning/model/tied_embedding.h"

#include <gtest/gtest.h>

#include "learning/model/random_model.h"

namespace trivium::learning {
namespace {

// A function of all three uses.
torch::Tensor loss_of(const torch::Tensor& source, const torch::Tensor& target,
                      const torch::Tensor& weight) {
  return (torch::matmul(source.sum(0), weight.t()).sin().sum() * target.cos().sum()) +
         torch::matmul(target, weight.t()).pow(2).sum();
}

TEST(TiedEmbeddingTest, ItsGradientIsThatOfThreePlainUses) {
  torch::manual_seed(1);
  torch::Tensor weight = torch::randn({11, 4}, torch::kDouble).set_requires_grad(true);
  const torch::Tensor source = torch::tensor({{1, 3, 3}, {10, 0, 3}}, torch::kInt64);
  const torch::Tensor target = torch::tensor({{3, 5}, {5, 5}}, torch::kInt64);
  const TiedEmbedding tied = tied_embedding(weight, source, target);
  loss_of(tied.source, tied.target, tied.output_weight).backward();
  const torch::Tensor found = weight.grad().clone();
  weight.mutable_grad().reset();
  loss_of(torch::embedding(weight, source), torch::embedding(weight, target), weight).backward();
  EXPECT_LT(max_difference(found, weight.grad()), 1e-12);
}

TEST(TiedEmbeddingTest, GradientsOfTwoBatchesAddUp) {
  torch::Tensor weight = torch::ones({5, 2}).set_requires_grad(true);
  for (int batch = 0; batch < 2; ++batch) {
    const torch::Tensor ids = torch::tensor({batch, 4}, torch::kInt64);
    const TiedEmbedding tied = tied_embedding(weight, ids, ids);
    (tied.source.sum() + tied.target.sum() + tied.output_weight.sum()).backward();
  }
  EXPECT_TRUE(torch::equal(weight.grad().select(1, 0), torch::tensor({4.f, 4.f, 2.f, 2.f, 6.f})));
}

TEST(TiedEmbeddingTest, AFrozenWeightHasNoGraph) {
  const torch::Tensor ids = torch::tensor({1}, torch::kInt64);
  EXPECT_FALSE(tied_embedding(torch::ones({5, 2}), ids, ids).source.requires_grad());
}

}  // namespace
}  // namespace trivium::learning
