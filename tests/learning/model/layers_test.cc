#include "learning/model/layers.h"

#include <gtest/gtest.h>

#include "learning/model/random_model.h"

namespace trivium::learning {
namespace {

// attend() takes LibTorch's fused attention without gradients, plain products with them.
class AttentionTest : public ::testing::Test {
 protected:
  AttentionTest() {
    torch::manual_seed(1);
    torch::NoGradGuard no_grad;
    for (torch::Tensor& parameter : attention_->parameters()) parameter.normal_(0, 0.5);
    attention_->to(torch::kDouble);
    attention_->eval();
    hidden_ = torch::randn({2, 3, 8}, torch::kDouble);
    memory_ = torch::randn({2, 5, 8}, torch::kDouble);
    memory_mask_ =
        torch::tensor({1, 1, 1, 1, 1, 1, 1, 1, 0, 0}).to(torch::kBool).view({2, 1, 1, 5});
  }

  torch::Tensor run(bool gradients, const torch::Tensor& memory, const torch::Tensor& mask,
                    bool causal) {
    torch::AutoGradMode mode(gradients);
    return attention_->attend(hidden_, attention_->keys_values(memory), mask, causal);
  }

  // The gradient of sum(probe * attend(...)) with regard to `input` by central differences.
  torch::Tensor numeric_gradient(torch::Tensor input, const std::function<double()>& value) {
    torch::NoGradGuard no_grad;
    constexpr double kStep = 1e-5;
    torch::Tensor gradient = torch::zeros_like(input);
    double* x = input.data_ptr<double>();
    for (int64_t i = 0; i < input.numel(); ++i) {
      const double kept = x[i];
      x[i] = kept + kStep;
      const double above = value();
      x[i] = kept - kStep;
      const double below = value();
      x[i] = kept;
      gradient.data_ptr<double>()[i] = (above - below) / (2 * kStep);
    }
    return gradient;
  }

  MultiHeadAttention attention_{8, 2, 0.0};
  torch::Tensor hidden_, memory_, memory_mask_;
};

TEST_F(AttentionTest, TrainingAndInferenceComputeTheSame) {
  EXPECT_LT(max_difference(run(true, memory_, {}, false), run(false, memory_, {}, false)), 1e-12);
  EXPECT_LT(max_difference(run(true, memory_, memory_mask_, false),
                           run(false, memory_, memory_mask_, false)),
            1e-12);
  EXPECT_LT(max_difference(run(true, hidden_, {}, true), run(false, hidden_, {}, true)), 1e-12);
  attention_->to(torch::kFloat32);
  hidden_ = hidden_.to(torch::kFloat32);
  memory_ = memory_.to(torch::kFloat32);
  EXPECT_LT(max_difference(run(true, memory_, memory_mask_, false),
                           run(false, memory_, memory_mask_, false)),
            1e-5);
  EXPECT_LT(max_difference(run(true, hidden_, {}, true), run(false, hidden_, {}, true)), 1e-5);
}

TEST_F(AttentionTest, HiddenKeysHaveNoInfluence) {
  for (bool gradients : {false, true}) {
    const torch::Tensor before = run(gradients, memory_, memory_mask_, false).detach();
    torch::Tensor changed = memory_.clone();
    changed[1].narrow(0, 3, 2).fill_(50);
    const torch::Tensor after = run(gradients, changed, memory_mask_, false).detach();
    EXPECT_TRUE(torch::equal(before, after));
    EXPECT_FALSE(torch::equal(before, run(gradients, changed, {}, false).detach()));
    // Causal: the first query sees the first key alone.
    torch::Tensor later = hidden_.clone();
    later.narrow(1, 1, 2).fill_(50);
    EXPECT_TRUE(torch::equal(run(gradients, hidden_, {}, true).select(1, 0).detach(),
                             run(gradients, later, {}, true).select(1, 0).detach()));
  }
}

TEST_F(AttentionTest, GradientsAreTheNumericOnes) {
  const torch::Tensor probe = torch::randn({2, 3, 8}, torch::kDouble);
  for (bool causal : {false, true}) {
    std::vector<torch::Tensor> inputs = {hidden_};
    if (!causal) inputs.push_back(memory_);
    for (const torch::Tensor& parameter : attention_->parameters()) inputs.push_back(parameter);
    for (torch::Tensor& input : inputs) input.requires_grad_();
    const auto value = [&] {
      return (run(true, causal ? hidden_ : memory_, causal ? torch::Tensor() : memory_mask_,
                  causal) *
              probe)
          .sum();
    };
    const auto gradients = torch::autograd::grad({value()}, inputs);
    for (size_t i = 0; i < inputs.size(); ++i) {
      const torch::Tensor numeric =
          numeric_gradient(inputs[i].detach(), [&] { return value().item<double>(); });
      EXPECT_LT(max_difference(gradients[i], numeric), 1e-7) << "input " << i;
    }
    for (torch::Tensor& input : inputs) input.requires_grad_(false);
  }
}

TEST(DropoutTest, ActsInTrainingOnlyAtTheRatesThatAreSet) {
  torch::NoGradGuard no_grad;
  const SourceBatch source = collate_sources(random_ids({6, 4}, 40), 1);
  ModelConfig config = small_config(1);
  Seq2SeqModel model = random_model(config);
  const torch::Tensor expected = model->encode(source.ids, source.mask, {});
  model->train();
  EXPECT_TRUE(torch::equal(model->encode(source.ids, source.mask, {}), expected));
  const std::vector<DropoutRates> rates = {
      {.residual = 0.5}, {.attention = 0.5}, {.activation = 0.5}};
  for (const DropoutRates& rate : rates) {
    for (bool gradients : {false, true}) {
      torch::AutoGradMode mode(gradients);
      model->train();
      model->set_dropout(rate);
      const torch::Tensor first = model->encode(source.ids, source.mask, {}).detach();
      const torch::Tensor second = model->encode(source.ids, source.mask, {}).detach();
      EXPECT_GT(max_difference(first, second), 1e-3);
      model->eval();
      EXPECT_LT(max_difference(model->encode(source.ids, source.mask, {}).detach(), expected),
                1e-5);
    }
  }
}

}  // namespace
}  // namespace trivium::learning
