#include "learning/training/optimiser.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/base/temporary_folder.h"
#include "learning/model/bfloat16_scope.h"
#include "learning/model/narrow_weight.h"
#include "learning/model/random_model.h"

namespace trivium::learning {
namespace {

TEST(LearningRateFactorTest, RisesAndFallsLinearly) {
  // docs/spec/task_level.md, section 6: W = int(0.06 T).
  EXPECT_EQ(learning_rate_factor(0, 30'000, 0.06, 1.0), 0.0);
  EXPECT_EQ(learning_rate_factor(900, 30'000, 0.06, 1.0), 0.5);
  EXPECT_EQ(learning_rate_factor(1800, 30'000, 0.06, 1.0), 1.0);
  EXPECT_EQ(learning_rate_factor(15'900, 30'000, 0.06, 1.0), 0.5);
  EXPECT_EQ(learning_rate_factor(30'000, 30'000, 0.06, 1.0), 0.0);
  EXPECT_EQ(learning_rate_factor(30'001, 30'000, 0.06, 1.0), 0.0);
  EXPECT_EQ(learning_rate_factor(0, 10, 0.0, 1.0), 1.0);
  EXPECT_EQ(learning_rate_factor(9, 10, 0.0, 1.0), 0.1);
  EXPECT_EQ(learning_rate_factor(10, 10, 1.0, 1.0), 0.0);
  // Even in between, where the cool-down is shorter.
  EXPECT_EQ(learning_rate_factor(5, 100, 0.1, 0.2), 0.5);
  EXPECT_EQ(learning_rate_factor(10, 100, 0.1, 0.2), 1.0);
  EXPECT_EQ(learning_rate_factor(80, 100, 0.1, 0.2), 1.0);
  EXPECT_EQ(learning_rate_factor(90, 100, 0.1, 0.2), 0.5);
  EXPECT_EQ(learning_rate_factor(99, 100, 0.1, 0.0), 1.0);
  EXPECT_EQ(learning_rate_factor(100, 100, 0.1, 0.0), 0.0);
}

class AdamWTest : public ::testing::Test {
 protected:
  AdamWTest() {
    settings_.learning_rate = 1e-2;
    settings_.router_learning_rate = 3e-2;
    settings_.task_vector_learning_rate = 5e-2;
    settings_.weight_decay = 0.1;
  }

  // Random gradients; none for a parameter where draw says so.
  void set_gradients(Rng& rng, double missing_share) {
    for (torch::Tensor& parameter : model_->parameters()) {
      if (rng.uniform() < missing_share) {
        parameter.mutable_grad().reset();
        continue;
      }
      torch::Tensor gradient = torch::empty_like(parameter);
      for (int64_t i = 0; i < gradient.numel(); ++i) {
        gradient.data_ptr<float>()[i] = static_cast<float>(rng.normal());
      }
      parameter.mutable_grad() = gradient;
    }
  }

  OptimiserSettings settings_;
  Seq2SeqModel model_ = random_model(small_config(3));
};

TEST_F(AdamWTest, GroupsEveryParameterOnce) {
  AdamW optimiser(*model_, settings_);
  std::map<std::string, std::string> group_of;
  for (const AdamW::Group& group : optimiser.groups()) {
    for (const std::string& name : group.names) {
      EXPECT_TRUE(group_of.emplace(name, group.name).second) << name;
    }
    const std::string part = group.name.substr(0, group.name.find('.'));
    EXPECT_EQ(group.learning_rate, part == "router" ? 3e-2 : part == "task_vectors" ? 5e-2 : 1e-2);
    EXPECT_EQ(group.weight_decay, group.name.ends_with(".no_decay") ? 0 : 0.1);
  }
  EXPECT_EQ(group_of.size(), model_->parameters().size());
  EXPECT_EQ(group_of.at("shared.weight"), "encoder");
  EXPECT_EQ(group_of.at("encoder.layers.0.experts.1.fc1.bias"), "encoder.no_decay");
  EXPECT_EQ(group_of.at("encoder.layernorm_embedding.weight"), "encoder.no_decay");
  EXPECT_EQ(group_of.at("decoder.layers.1.experts.2.final_layer_norm.weight"), "decoder.no_decay");
  EXPECT_EQ(group_of.at("decoder.layers.1.experts.2.fc1.weight"), "decoder");
  EXPECT_EQ(group_of.at("router.layer_3.out.weight"), "router");
  EXPECT_EQ(group_of.at("router.layer_3.out.bias"), "router.no_decay");
  EXPECT_EQ(group_of.at("task_vectors.weight"), "task_vectors");
}

TEST_F(AdamWTest, DecoderMayHaveItsOwnRate) {
  settings_.decoder_learning_rate = 7e-2;
  model_->task_vectors().requires_grad_(false);
  AdamW optimiser(*model_, settings_);
  for (const AdamW::Group& group : optimiser.groups()) {
    EXPECT_NE(group.name, "task_vectors");
    EXPECT_EQ(group.learning_rate == 7e-2, group.name.starts_with("decoder")) << group.name;
  }
}

// Decoupled decay, then the step with both moments corrected, for each parameter in double.
TEST_F(AdamWTest, FollowsTheFormulaForTwentySteps) {
  struct State {
    torch::Tensor value, first, second;
    double rate = 0, decay = 0;
    int steps = 0;
  };
  AdamW optimiser(*model_, settings_);
  std::map<std::string, State> reference;
  for (const AdamW::Group& group : optimiser.groups()) {
    for (size_t i = 0; i < group.names.size(); ++i) {
      const torch::Tensor value = group.parameters[i].detach().to(torch::kDouble).clone();
      reference[group.names[i]] = {value, torch::zeros_like(value), torch::zeros_like(value),
                                   group.learning_rate, group.weight_decay};
    }
  }
  Rng rng(4);
  for (int step = 0; step < 20; ++step) {
    set_gradients(rng, 0.3);
    const double factor = learning_rate_factor(step, 20, 0.25, 1.0);
    for (const auto& item : model_->named_parameters()) {
      if (!item.value().grad().defined()) continue;
      State& state = reference[item.key()];
      const torch::Tensor g = item.value().grad().to(torch::kDouble);
      const double rate = state.rate * factor;
      ++state.steps;
      state.value = state.value * (1 - rate * state.decay);
      state.first = 0.9 * state.first + 0.1 * g;
      state.second = 0.999 * state.second + 0.001 * g * g;
      const torch::Tensor mean = state.first / (1 - std::pow(0.9, state.steps));
      const torch::Tensor square = state.second / (1 - std::pow(0.999, state.steps));
      state.value = state.value - rate * mean / (square.sqrt() + 1e-8);
    }
    optimiser.step(factor);
  }
  std::set<int> steps;
  for (const auto& item : model_->named_parameters()) {
    const State& state = reference[item.key()];
    steps.insert(state.steps);
    // Each of 20 steps of up to 5e-2 rounds in float32, and so do values of up to about 3.
    EXPECT_LT(max_difference(item.value(), state.value), 1e-5) << item.key();
  }
  EXPECT_GT(steps.size(), 3u);  // gradients were missing here and there
}

TEST_F(AdamWTest, AStepMakesNarrowCopiesOld) {
  AdamW optimiser(*model_, settings_);
  Rng rng(1);
  set_gradients(rng, 0);
  torch::Tensor weight = model_->shared_weight();
  NarrowWeight narrow;
  const Bfloat16Scope scope(true, torch::kCPU);
  narrow.of(weight);
  optimiser.step(1e4);
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(torch::equal(narrow.of(weight), weight.to(torch::kBFloat16)));
}

TEST_F(AdamWTest, ClipsByOneNormOrByGroup) {
  for (const ClipBy by : {ClipBy::kGlobal, ClipBy::kGroup}) {
    settings_.clip_by = by;
    settings_.clip = 2.0;
    AdamW optimiser(*model_, settings_);
    Rng rng(1);
    set_gradients(rng, 0.1);
    for (torch::Tensor& parameter : model_->router()->parameters()) {
      if (parameter.grad().defined()) parameter.mutable_grad().mul_(1e-4);  // below the limit alone
    }
    std::map<std::string, double> squares;
    std::map<std::string, torch::Tensor> gradients;
    for (const AdamW::Group& group : optimiser.groups()) {
      for (size_t i = 0; i < group.parameters.size(); ++i) {
        if (!group.parameters[i].grad().defined()) continue;
        gradients[group.names[i]] = group.parameters[i].grad().clone();
        const double norm = gradients[group.names[i]].to(torch::kDouble).norm().item<double>();
        squares[group.name] += norm * norm;
        squares["all"] += norm * norm;
      }
    }
    const double norm = std::sqrt(squares.at("all"));
    EXPECT_NEAR(optimiser.clip_gradients(), norm, 1e-4 * norm);
    optimiser.step(1.0);
    // After its first step the first moment is 1 - beta1 times the gradient that the step read.
    const auto state = optimiser.state();
    for (const AdamW::Group& group : optimiser.groups()) {
      const double own = std::sqrt(squares.at(by == ClipBy::kGlobal ? "all" : group.name));
      const double factor = std::min(1.0, 2.0 / own);
      for (const std::string& name : group.names) {
        if (gradients.count(name) == 0) continue;
        const torch::Tensor expected = gradients.at(name) * (0.1 * factor);
        EXPECT_LT(max_difference(state.at(name + ".exp_avg"), expected),
                  1e-5 * expected.abs().max().item<double>())
            << (by == ClipBy::kGlobal ? "global " : "group ") << name;
      }
    }
  }
}

TEST_F(AdamWTest, ClippingCanBeOffAndKeepsSmallGradients) {
  for (double clip : {0.0, 1e6}) {
    settings_.clip = clip;
    AdamW optimiser(*model_, settings_);
    Rng rng(1);
    set_gradients(rng, 0);
    std::vector<torch::Tensor> before;
    for (const torch::Tensor& p : model_->parameters()) before.push_back(p.grad().clone());
    EXPECT_GT(optimiser.clip_gradients(), 1);
    for (size_t i = 0; i < before.size(); ++i) {
      EXPECT_TRUE(torch::equal(model_->parameters()[i].grad(), before[i]));
    }
    optimiser.zero_gradients();
    for (const torch::Tensor& p : model_->parameters()) EXPECT_FALSE(p.grad().defined());
  }
}

TEST_F(AdamWTest, StateGoesOnInAnotherOptimiser) {
  AdamW optimiser(*model_, settings_);
  Rng rng(2);
  for (int i = 0; i < 3; ++i) {
    set_gradients(rng, 0.3);
    optimiser.step(1);
  }
  Seq2SeqModel copy = random_model(small_config(3), 99);
  {
    torch::NoGradGuard no_grad;
    for (auto& item : copy->named_parameters()) {
      item.value().copy_(model_->named_parameters()[item.key()]);
    }
  }
  AdamW other(*copy, settings_);
  auto state = optimiser.state();
  for (auto& [name, tensor] : state) tensor = tensor.clone();
  other.load_state(state);
  set_gradients(rng, 0.3);
  for (auto& item : copy->named_parameters()) {
    item.value().mutable_grad() = model_->named_parameters()[item.key()].grad();
  }
  optimiser.step(1);
  other.step(1);
  for (const auto& item : copy->named_parameters()) {
    EXPECT_TRUE(torch::equal(item.value(), model_->named_parameters()[item.key()])) << item.key();
  }
  state.erase("task_vectors.weight.exp_avg");
  EXPECT_EQ(error_of([&] { other.load_state(state); }).substr(0, 3), "76:");
  state = optimiser.state();
  state["shared.weight.exp_avg"] = torch::zeros({3});
  EXPECT_EQ(error_of([&] { other.load_state(state); }).substr(0, 3), "76:");
}

}  // namespace
}  // namespace trivium::learning
