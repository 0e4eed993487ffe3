// What the reference code gets wrong (docs/reference_defects.md) and the model does right.
#include <gtest/gtest.h>

#include <limits>

#include "learning/model/expert_distance.h"
#include "learning/model/random_model.h"
#include "learning/model/selection.h"
#include "learning/model/torch_step_decoder.h"

namespace trivium::learning {
namespace {

// The reference embeds every sparse step after the first at the position head_dim. Here each step
// reads the row of its own position and no other: all others are poisoned.
TEST(ReferenceDefects, A1_SparseGenerationUsesTheTruePosition) {
  torch::NoGradGuard no_grad;
  for (const std::vector<int64_t>& vanilla : {std::vector<int64_t>{}, std::vector<int64_t>{0}}) {
    ModelConfig config = small_config(3);
    config.routing.decoder_vanilla_layers = vanilla;
    Seq2SeqModel model = random_model(config);
    const SourceBatch source = collate_sources(random_ids({5, 8}, 40), 1);
    TorchStepDecoder decoder(model, source.ids, source.mask, hard_routes(config, 2));
    torch::Tensor table = model->decoder()->position_weight();
    const torch::Tensor positions = table.clone();
    for (int64_t step = 0; step < 9; ++step) {
      table.fill_(std::numeric_limits<float>::quiet_NaN());
      table[step + 2].copy_(positions[step + 2]);
      for (const float logit : decoder.step(std::vector<int32_t>{7, 9})) {
        ASSERT_TRUE(std::isfinite(logit)) << "step " << step;
      }
    }
  }
}

// "concat fails when the number of tasks is 1 modulo 16": a squeeze drops the axis of a last batch
// of one.
TEST(ReferenceDefects, A10_RoutesOfOneTaskKeepTheTaskAxis) {
  for (const std::string& name : names_of(router_names())) {
    ModelConfig config = small_config(3);
    config.routing.router = value_in(router_names(), name);
    config.routing.router_hidden_dim = 8;
    Seq2SeqModel model = random_model(config, 1, /*num_tasks=*/17);
    const torch::Tensor all = model->inference_routes(torch::arange(17), 1.0);
    ASSERT_EQ(all.sizes(), (std::vector<int64_t>{4, 17, 3})) << name;
    const torch::Tensor last = model->inference_routes(torch::arange(16, 17), 1.0);
    ASSERT_EQ(last.sizes(), (std::vector<int64_t>{4, 1, 3})) << name;
    EXPECT_LT(max_difference(last, all.narrow(1, 16, 1)), 1e-5) << name;
  }
}

// The reference gives the decoder 1 / E instead of an expert, and writes into the output of the
// softmax, which its backward pass needs.
TEST(ReferenceDefects, A12_ExplorationIsOneHotAndNotInPlace) {
  constexpr double kEpsilon = 0.3;
  torch::manual_seed(1);
  const torch::Tensor logits = torch::randn({12, 2000, 3}).requires_grad_();
  const torch::Tensor weights = torch::softmax(logits, -1);
  auto generator = at::detail::createCPUGenerator(4);
  const torch::Tensor explored = explore(weights, kEpsilon, generator);
  const torch::Tensor changed = (explored != weights).any(-1);
  // Every layer, the encoder's as the decoder's: 5 standard errors of a share of 2000 are 0.051.
  const torch::Tensor share = changed.to(torch::kDouble).mean(1);
  EXPECT_LT((share - kEpsilon).abs().max().item<double>(), 0.051);
  const torch::Tensor random = explored.detach().masked_select(changed.unsqueeze(-1)).view({-1, 3});
  EXPECT_TRUE(torch::equal(random.amax(1), torch::ones({random.size(0)})));
  EXPECT_TRUE(torch::equal(random.sum(1), torch::ones({random.size(0)})));
  // 7200 rows: 5 standard errors of a third are 0.028.
  EXPECT_LT((random.mean(0) - 1.0 / 3).abs().max().item<double>(), 0.028);
  // A random route has no gradient, the others have the whole.
  const torch::Tensor probe = torch::randn(logits.sizes());
  const torch::Tensor gradient = torch::autograd::grad({(explored * probe).sum()}, {logits})[0];
  const torch::Tensor whole =
      torch::autograd::grad({(torch::softmax(logits, -1) * probe).sum()}, {logits})[0];
  EXPECT_TRUE(
      torch::equal(gradient, torch::where(changed.unsqueeze(-1), torch::zeros_like(whole), whole)));
  // Off: nothing is drawn.
  const torch::Tensor state = generator.get_state();
  EXPECT_TRUE(explore(weights, 0, generator).is_same(weights));
  EXPECT_TRUE(torch::equal(generator.get_state(), state));
  auto again = at::detail::createCPUGenerator(4);
  EXPECT_TRUE(torch::equal(explored, explore(weights, kEpsilon, again)));
}

// The norm of a difference of 0 has no gradient: the reference gets NaN from experts that are
// equal.
TEST(ReferenceDefects, A27_EqualExpertsHaveAFiniteGradient) {
  Seq2SeqModel model = random_model(small_config(3));
  {
    torch::NoGradGuard no_grad;
    for (auto& item : model->named_parameters()) {
      const size_t expert = item.key().find(".experts.");
      if (expert == std::string::npos) continue;
      std::string first = item.key();
      first[expert + 9] = '0';
      item.value().copy_(model->named_parameters()[first]);
    }
  }
  // 16 tensors in each of the encoder's experts and 26 in the decoder's, each at sqrt(1e-12).
  EXPECT_NEAR(add_expert_distance_gradients(*model, 1), 2 * (16 + 26) * 1e-6, 1e-9);
  for (const auto& item : model->named_parameters()) {
    if (item.key().find(".experts.") == std::string::npos) continue;
    EXPECT_EQ(item.value().grad().abs().max().item<double>(), 0) << item.key();
  }
}

}  // namespace
}  // namespace trivium::learning
