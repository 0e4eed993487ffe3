#include "learning/model/token_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "learning/model/random_model.h"
#include "learning/model/torch_step_decoder.h"

namespace trivium::learning {
namespace {

TokenExpertConfig four_experts(GateScale scale = GateScale::kProbability) {
  TokenExpertConfig config;
  config.num_experts = 4;
  config.scale = scale;
  return config;
}

LayerOptions layer_options(const TokenExpertConfig& experts, const GateTable& gates) {
  LayerOptions options;
  options.d_model = 8;
  options.num_heads = 2;
  options.d_ffn = 12;
  options.token_experts = experts;
  options.gates = gates;
  return options;
}

// An encoder layer in double whose every weight is random; gates of std 1, so that all experts are
// taken.
EncoderLayer random_layer(const TokenExpertConfig& experts, const GateTable& gates) {
  EncoderLayer layer(layer_options(experts, gates));
  torch::manual_seed(3);
  torch::NoGradGuard no_grad;
  for (auto& parameter : layer->parameters()) parameter.normal_(0, 1).div_(2);
  layer->to(torch::kFloat64);
  return layer;
}

// The feed-forward part as equations 1 to 6 write it: token by token, without sorting.
torch::Tensor plain_pool(EncoderLayer& layer, const torch::Tensor& x, const torch::Tensor& task_ids,
                         GateScale scale) {
  auto named = layer->named_parameters();
  std::vector<torch::Tensor> rows;
  for (int64_t b = 0; b < x.size(0); ++b) {
    const torch::Tensor gate = named["gate.weight"][task_ids[b].item<int64_t>()];
    for (int64_t t = 0; t < x.size(1); ++t) {
      const torch::Tensor token = x[b][t];
      const torch::Tensor p = torch::softmax(gate.matmul(token), 0);
      const auto e = p.argmax().item<int64_t>();
      const std::string prefix = "experts." + std::to_string(e) + ".";
      torch::Tensor y =
          named[prefix + "fc2.weight"].matmul(torch::gelu(
              named[prefix + "fc1.weight"].matmul(token) + named[prefix + "fc1.bias"])) +
          named[prefix + "fc2.bias"];
      if (scale == GateScale::kProbability) y = y * p[e];
      if (scale == GateScale::kProbabilityTimesExperts) y = y * p[e] * 4;
      if (scale == GateScale::kStraightThrough) {
        y = y + (p[e] - p[e].item<double>()) * (y / p[e]).detach();
      }
      rows.push_back(y);
    }
  }
  return torch::stack(rows).view_as(x);
}

TEST(DispatchTokens, SortsRealTokensByExpertAndKeepsTheirOrder) {
  const torch::Tensor experts = torch::tensor({{2, 0, 1}, {0, 2, 0}}, torch::kInt64);
  const torch::Tensor real = torch::tensor({{1, 1, 1}, {1, 1, 0}}).to(torch::kBool);
  const TokenDispatch dispatch = dispatch_tokens(experts, real, 3);
  EXPECT_EQ(dispatch.counts, (std::vector<int64_t>{2, 1, 2}));
  EXPECT_TRUE(torch::equal(dispatch.order, torch::tensor({1, 3, 2, 0, 4}, torch::kInt64)));
  EXPECT_TRUE(torch::equal(dispatch.place, torch::tensor({3, 0, 2, 1, 4, 5}, torch::kInt64)));
}

TEST(DispatchTokens, ScatterUndoesGatherAndLeavesPadsZero) {
  const torch::Tensor experts = torch::randint(5, {3, 7}, torch::kInt64);
  const torch::Tensor real = torch::arange(7) < torch::tensor({7, 1, 4}).unsqueeze(1);
  const TokenDispatch dispatch = dispatch_tokens(experts, real, 5);
  const torch::Tensor hidden = torch::randn({21, 6});
  const torch::Tensor back = scatter_tokens(gather_tokens(hidden, dispatch), dispatch);
  EXPECT_TRUE(torch::equal(back, hidden * real.reshape({21, 1})));
}

TEST(DispatchTokens, FillsRowsUpWithoutAnyEffect) {
  const torch::Tensor experts = torch::tensor({{2, 0, 1}, {0, 2, 0}}, torch::kInt64);
  const torch::Tensor real = torch::tensor({{1, 1, 1}, {1, 1, 0}}).to(torch::kBool);
  const TokenDispatch dispatch = dispatch_tokens(experts, real, 4, /*multiple=*/4);
  EXPECT_EQ(dispatch.counts, (std::vector<int64_t>{4, 4, 4, 0}));
  EXPECT_EQ(dispatch.filling.numel(), 12 - 5);
  const torch::Tensor hidden = torch::randn({6, 3}, torch::kFloat64).requires_grad_(true);
  const torch::Tensor rows = gather_tokens(hidden, dispatch);
  EXPECT_TRUE(torch::equal(scatter_tokens(rows, dispatch), hidden * real.reshape({6, 1})));
  // A function whose gradient at the filling would be large.
  const torch::Tensor weight = torch::randn({3}, torch::kFloat64).requires_grad_(true);
  scatter_tokens(rows.pow(2) * weight, dispatch).sum().backward();
  const torch::Tensor expected = 2 * hidden * weight * real.reshape({6, 1});
  EXPECT_LT(max_difference(hidden.grad(), expected), 1e-12);
  EXPECT_LT(max_difference(weight.grad(), (hidden.pow(2) * real.reshape({6, 1})).sum(0)), 1e-12);
}

TEST(DispatchTokens, OnlyPadsGiveNoTokens) {
  const TokenDispatch dispatch =
      dispatch_tokens(torch::zeros({2, 2}, torch::kInt64), torch::zeros({2, 2}, torch::kBool), 3);
  EXPECT_EQ(dispatch.order.numel(), 0);
  EXPECT_EQ(dispatch.counts, (std::vector<int64_t>{0, 0, 0}));
}

class PoolOfEveryScale : public testing::TestWithParam<GateScale> {};
INSTANTIATE_TEST_SUITE_P(Scales, PoolOfEveryScale,
                         testing::Values(GateScale::kProbability,
                                         GateScale::kProbabilityTimesExperts,
                                         GateScale::kStraightThrough, GateScale::kNone));

// Values and gradients of a layer with a pool against the same layer with the plain formula: run
// the feed-forward part on its own, so that nothing else hides a difference.
TEST_P(PoolOfEveryScale, ComputesThePlainFormulaWithItsExactGradients) {
  const GateScale scale = GetParam();
  EncoderLayer layer = random_layer(four_experts(scale), {.count = 3, .embeddings = {}});
  torch::nn::Module parts;
  LayerOptions options = layer_options(four_experts(scale), {.count = 3, .embeddings = {}});
  FeedForward pool(parts, options);
  parts.to(torch::kFloat64);
  auto layer_named = layer->named_parameters();
  {
    torch::NoGradGuard no_grad;
    for (auto& item : parts.named_parameters()) item.value().copy_(layer_named[item.key()]);
  }
  const torch::Tensor task_ids = torch::tensor({2, 0, 1, 2}, torch::kInt64);
  const torch::Tensor x =
      torch::randn({4, 9, 8}, torch::dtype(torch::kFloat64)).requires_grad_(true);
  const torch::Tensor x_plain = x.detach().clone().requires_grad_(true);
  const torch::Tensor weight = torch::randn({4, 9, 8}, torch::kFloat64);

  const torch::Tensor out = pool.forward(x, {}, task_ids, 0, false);
  const torch::Tensor expected = plain_pool(layer, x_plain, task_ids, scale);
  EXPECT_LT(max_difference(out, expected), 1e-12);
  (out * weight).sum().backward();
  (expected * weight).sum().backward();
  EXPECT_LT(max_difference(x.grad(), x_plain.grad()), 1e-12);
  for (auto& item : parts.named_parameters()) {
    const torch::Tensor plain = layer_named[item.key()].grad();
    ASSERT_EQ(item.value().grad().defined(), plain.defined()) << item.key();
    if (plain.defined()) {
      EXPECT_LT(max_difference(item.value().grad(), plain), 1e-11) << item.key();
    }
  }
}

TEST(TokenGate, OnlyTheBatchsTasksGetAGradient) {
  EncoderLayer layer = random_layer(four_experts(), {.count = 3, .embeddings = {}});
  const torch::Tensor x = torch::randn({2, 5, 8}, torch::kFloat64);
  const torch::Tensor mask = torch::ones({2, 1, 1, 5}, torch::kBool);
  layer(x, mask, torch::tensor({1, 1}, torch::kInt64)).pow(2).sum().backward();
  const torch::Tensor gradient = layer->named_parameters()["gate.weight"].grad();
  EXPECT_EQ(gradient[0].abs().max().item<double>(), 0);
  EXPECT_GT(gradient[1].abs().max().item<double>(), 0);
  EXPECT_EQ(gradient[2].abs().max().item<double>(), 0);
}

TEST(TokenGate, PadsChangeNothingAtRealTokens) {
  EncoderLayer layer = random_layer(four_experts(), {.count = 2, .embeddings = {}});
  const torch::Tensor x = torch::randn({1, 4, 8}, torch::kFloat64);
  const torch::Tensor padded = torch::cat({x, torch::randn({1, 3, 8}, torch::kFloat64)}, 1);
  const torch::Tensor mask = (torch::arange(7) < 4).view({1, 1, 1, 7});
  const torch::Tensor task_ids = torch::tensor({1}, torch::kInt64);
  const torch::Tensor alone = layer(x, torch::ones({1, 1, 1, 4}, torch::kBool), task_ids);
  EXPECT_LT(max_difference(layer(padded, mask, task_ids).narrow(1, 0, 4), alone), 1e-12);
}

class PoolWithoutFactor : public testing::TestWithParam<GateScale> {};
INSTANTIATE_TEST_SUITE_P(Scales, PoolWithoutFactor,
                         testing::Values(GateScale::kStraightThrough, GateScale::kNone));

TEST_P(PoolWithoutFactor, CopiesOfOneExpertAreTheDenseLayer) {
  EncoderLayer dense(layer_options({}, {}));
  EncoderLayer pool(layer_options(four_experts(GetParam()), {.count = 2, .embeddings = {}}));
  torch::NoGradGuard no_grad;
  auto source = dense->named_parameters();
  for (auto& item : source) item.value().normal_(0, 0.5);
  for (auto& item : pool->named_parameters()) {
    std::string name = item.key();
    if (name.starts_with("gate.")) {
      item.value().normal_(0, 1);
      continue;
    }
    if (name.starts_with("experts.")) name = name.substr(std::string("experts.0.").size());
    item.value().copy_(source[name]);
  }
  const torch::Tensor x = torch::randn({3, 6, 8});
  const torch::Tensor mask = torch::ones({3, 1, 1, 6}, torch::kBool);
  // One product of all tokens against four of some: float32 sums of at most 12 products.
  EXPECT_LT(max_difference(pool(x, mask, torch::tensor({0, 1, 1}, torch::kInt64)), dense(x, mask)),
            1e-5);
}

TEST(TokenGate, GatesMadeFromEmbeddingsAreTheGeneratorTimesTheEmbedding) {
  const torch::Tensor embeddings = torch::randn({3, 5}).requires_grad_(true);
  TokenExpertConfig config = four_experts();
  config.gate_embedding_dim = 5;
  TokenGate gate(8, config, GateTable{3, embeddings});
  torch::Tensor generator = gate->named_parameters()["generator"];
  {
    torch::NoGradGuard no_grad;
    generator.normal_(0, 1);
  }
  for (int64_t t = 0; t < 3; ++t) {
    const torch::Tensor expected = generator.matmul(embeddings[t]).view({4, 8});
    EXPECT_LT(max_difference(gate->weights()[t], expected), 1e-5);
  }
  gate(torch::randn({2, 3, 8}), torch::tensor({0, 2}, torch::kInt64))
      .select(-1, 0)
      .sum()
      .backward();
  EXPECT_GT(embeddings.grad()[0].abs().max().item<double>(), 0);
  EXPECT_EQ(embeddings.grad()[1].abs().max().item<double>(), 0);
}

// Adam moves every weight of the generator alike: with embeddings near 1 a gate would go as far as
// all its 64 numbers together, and send all tokens to one expert within a few steps.
TEST(TokenGate, GatesMadeFromEmbeddingsBeginAndMoveAsGatesOfTheirOwn) {
  torch::manual_seed(4);
  torch::Tensor embeddings = torch::empty({3, 64});
  TokenExpertConfig config = four_experts();
  config.gate_embedding_dim = 64;
  init_parameter("gate_embeddings.weight", embeddings, 0.02);
  embeddings.requires_grad_(true);
  TokenGate made(96, config, GateTable{3, embeddings});
  TokenGate own(96, four_experts(), GateTable{3, {}});
  init_parameter("layers.0.gate.generator", made->named_parameters()["generator"], 0.02);
  init_parameter("layers.0.gate.weight", own->named_parameters()["weight"], 0.02);
  const torch::Tensor direction = torch::randn({3, 4, 96});
  const auto change_of_a_step = [&](TokenGate& gate, std::vector<torch::Tensor> parameters) {
    const torch::Tensor before = gate->weights().detach().clone();
    EXPECT_NEAR(before.std().item<double>(), 0.001, 0.0002);
    torch::optim::Adam adam(std::move(parameters), torch::optim::AdamOptions(1e-3));
    (gate->weights() * direction).sum().backward();
    adam.step();
    return (gate->weights() - before).abs().mean().item<double>();
  };
  const double moved = change_of_a_step(made, {made->named_parameters()["generator"], embeddings});
  EXPECT_NEAR(moved / change_of_a_step(own, own->parameters()), 1, 0.7);
}

TEST(TokenGate, ProbabilitiesAreFloat32WhereTheRestIsBfloat16) {
  TokenGate gate(8, four_experts(), GateTable{});
  torch::NoGradGuard no_grad;
  gate->parameters()[0].normal_(0, 0.001);
  EXPECT_EQ(gate(torch::randn({1, 2, 8}).to(torch::kBFloat16), torch::Tensor()).scalar_type(),
            torch::kFloat32);
}

TEST(TokenGate, RecordsEveryPassOnlyWhenAsked) {
  TokenGate gate(8, four_experts(), GateTable{});
  torch::NoGradGuard no_grad;
  gate->parameters()[0].normal_(0, 1);
  gate(torch::randn({1, 2, 8}), torch::Tensor());
  EXPECT_FALSE(gate->recorded().defined());
  gate->record(true);
  const torch::Tensor probabilities = gate(torch::randn({1, 3, 8}), torch::Tensor());
  EXPECT_TRUE(torch::equal(gate->recorded(), probabilities));
}

// ---- In the sequence-to-sequence model

ModelConfig gated_config() {
  ModelConfig config = small_config(1);
  config.token_experts.num_experts = 3;
  return config;
}

Seq2SeqModel gated_model() {
  Seq2SeqModel model = random_model(gated_config());
  torch::NoGradGuard no_grad;
  for (TokenGate& gate : model->token_gates()) gate->parameters()[0].normal_(0, 2);
  return model;
}

TEST(GatedSeq2SeqModel, CachedDecodingIsTeacherForcing) {
  Seq2SeqModel model = gated_model();
  torch::NoGradGuard no_grad;
  const SourceBatch source = collate_sources(random_ids({7, 4, 6}, 40), 1);
  const torch::Tensor ids = torch::randint(4, 40, {3, 5}, torch::kInt64);
  const torch::Tensor task_ids = torch::tensor({3, 0, 2}, torch::kInt64);
  const torch::Tensor memory = model->encode(source.ids, source.mask, {}, task_ids);
  const torch::Tensor whole = model->logits(model->decode(ids, memory, source.mask, {}, task_ids));
  RoutingWeights route;
  route.task_ids = task_ids;
  TorchStepDecoder decoder(model, source.ids, source.mask, route);
  // From step 2 on the rows come in another order, with row 0 left out.
  std::vector<int64_t> rows = {0, 1, 2};
  for (int64_t t = 0; t < 5; ++t) {
    if (t == 2) {
      rows = {2, 1};
      decoder.select_rows(std::vector<int32_t>{2, 1});
    }
    std::vector<int32_t> tokens;
    for (const int64_t row : rows) tokens.push_back(ids[row][t].item<int32_t>());
    const auto logits = decoder.step(tokens);
    for (size_t r = 0; r < rows.size(); ++r) {
      const torch::Tensor got = torch::from_blob(const_cast<float*>(logits.data()) + r * 40, {40});
      EXPECT_LT(max_difference(got, whole[rows[r]][t]), 1e-4) << "step " << t;
    }
  }
}

TEST(GatedSeq2SeqModel, TasksTakeDifferentExperts) {
  Seq2SeqModel model = gated_model();
  torch::NoGradGuard no_grad;
  const SourceBatch source = collate_sources(random_ids({7}, 40), 1);
  const auto hidden = [&](int64_t task) {
    return model->encode(source.ids, source.mask, {}, torch::full({1}, task, torch::kInt64));
  };
  EXPECT_GT(max_difference(hidden(0), hidden(1)), 1e-3);
  EXPECT_EQ(max_difference(hidden(0), model->encode(source.ids, source.mask, {})), 0);
}

TEST(GatedSeq2SeqModel, NewGatesAreSmall) {
  Seq2SeqModel model(gated_config(), /*num_tasks=*/4);
  model->init_weights(1);
  ASSERT_EQ(model->token_gates().size(), 4u);
  for (TokenGate& gate : model->token_gates()) {
    EXPECT_EQ(gate->weights().sizes(), (at::IntArrayRef{4, 3, 16}));
    EXPECT_NEAR(gate->weights().std().item<double>(), 0.001, 0.0003);
  }
}

}  // namespace
}  // namespace trivium::learning
