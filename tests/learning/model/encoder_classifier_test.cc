#include "learning/model/encoder_classifier.h"

#include <gtest/gtest.h>

#include <cmath>

#include "learning/model/random_model.h"

namespace trivium::learning {
namespace {

ModelConfig classifier_config(int64_t num_experts) {
  ModelConfig config = small_config(1);
  config.decoder_layers = 0;
  config.token_experts.num_experts = num_experts;
  return config;
}

const std::vector<HeadShape> kHeads = {
    {"label", 3, false}, {"number", 1, false}, {"words", 2, true}, {"choice", 2, false}};

EncoderClassifier random_classifier(int64_t num_experts) {
  EncoderClassifier model(classifier_config(num_experts), kHeads);
  torch::manual_seed(5);
  torch::NoGradGuard no_grad;
  for (torch::Tensor& parameter : model->parameters()) parameter.normal_(0, 0.3);
  model->eval();
  return model;
}

// Two examples of each head, of different lengths and mixed order.
std::vector<LabelledExample> mixed_examples() {
  std::vector<LabelledExample> examples;
  const auto rows = random_ids({7, 5, 9, 6, 8, 4, 7, 6}, 40);
  for (size_t i = 0; i < rows.size(); ++i) {
    LabelledExample example;
    example.task = static_cast<int64_t>(i % 4);
    example.ids = rows[i];
    example.second = example.task == 0 ? static_cast<int64_t>(rows[i].size()) : 3;
    example.label =
        example.task == 0 ? 2 - static_cast<int64_t>(i / 4) : static_cast<int64_t>(i / 4);
    example.value = 1.5 + static_cast<double>(i);
    if (example.task == 2) example.spans = {std::pair<int64_t, int64_t>{1, 3}, {3, 4}};
    examples.push_back(example);
  }
  return examples;
}

TEST(CollateLabelled, MarksTheSecondTextAndAveragesSpans) {
  LabelledExample a;
  a.ids = {2, 7, 8, 3, 9, 3};
  a.second = 4;
  a.spans = {std::pair<int64_t, int64_t>{1, 3}, {4, 5}};
  LabelledExample b;
  b.ids = {2, 7, 3};
  b.second = 3;
  const LabelledBatch batch = collate_labelled({a, b}, /*pad_id=*/0);
  EXPECT_TRUE(torch::equal(
      batch.segments, torch::tensor({{0, 0, 0, 0, 1, 1}, {0, 0, 0, 0, 0, 0}}).to(torch::kFloat)));
  EXPECT_TRUE(torch::equal(batch.spans[0][0],
                           torch::tensor({0.0, 0.5, 0.5, 0.0, 0.0, 0.0}).to(torch::kFloat)));
  EXPECT_TRUE(torch::equal(batch.spans[0][1],
                           torch::tensor({0.0, 0.0, 0.0, 0.0, 1.0, 0.0}).to(torch::kFloat)));
  EXPECT_EQ(batch.spans[1].abs().sum().item<float>(), 0);
}

TEST(RowsByTask, ListsEveryTasksRows) {
  const auto rows = rows_by_task(torch::tensor({3, 0, 3}, torch::kInt64));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].first, 0);
  EXPECT_TRUE(torch::equal(rows[1].second, torch::tensor({0, 2}, torch::kInt64)));
}

// Each loss by the paper's formulas, example by example, in double; and the gradients of the heads
// and of the hidden states by the same.
TEST(EncoderClassifier, LossesAndGradientsOfEveryHeadAreThePlainFormulas) {
  EncoderClassifier model = random_classifier(1);
  model->to(torch::kFloat64);
  const std::vector<LabelledExample> examples = mixed_examples();
  const LabelledBatch batch = collate_labelled(examples, 1);
  auto named = model->named_parameters();
  const torch::Tensor hidden = model->encode(batch).detach().requires_grad_(true);
  const torch::Tensor plain_hidden = hidden.detach().clone().requires_grad_(true);
  std::vector<torch::Tensor> weights, biases, plain_weights, plain_biases;
  for (const HeadShape& head : kHeads) {
    for (auto [list, plain, end] :
         {std::tuple{&weights, &plain_weights, ".weight"}, {&biases, &plain_biases, ".bias"}}) {
      list->push_back(named["heads." + head.task + end]);
      plain->push_back(list->back().detach().clone().requires_grad_(true));
    }
  }
  std::vector<torch::Tensor> expected;
  for (size_t i = 0; i < examples.size(); ++i) {
    const auto task = static_cast<size_t>(examples[i].task);
    const torch::Tensor row = plain_hidden[static_cast<int64_t>(i)];
    torch::Tensor features = row[0];
    if (task == 2) {
      features = torch::cat({row[0], (row[1] + row[2]) / 2, row[3]});
    }
    const torch::Tensor out = plain_weights[task].matmul(features) + plain_biases[task];
    if (task == 1) {
      expected.push_back((out[0] - examples[i].value).pow(2));
    } else {
      const torch::Tensor normaliser = out.exp().sum().log();
      expected.push_back((normaliser - out[examples[i].label]) /
                         std::log(static_cast<double>(kHeads[task].outputs)));
    }
  }
  const torch::Tensor plain = torch::stack(expected);
  const torch::Tensor losses = model->losses(hidden, batch);
  EXPECT_LT(max_difference(losses, plain), 1e-10);
  const torch::Tensor mix = torch::arange(1, 9, torch::kFloat64);
  (losses * mix).sum().backward();
  (plain * mix).sum().backward();
  EXPECT_LT(max_difference(hidden.grad(), plain_hidden.grad()), 1e-10);
  for (size_t t = 0; t < kHeads.size(); ++t) {
    EXPECT_LT(max_difference(weights[t].grad(), plain_weights[t].grad()), 1e-9) << kHeads[t].task;
    EXPECT_LT(max_difference(biases[t].grad(), plain_biases[t].grad()), 1e-9) << kHeads[t].task;
  }
}

// The whole model's gradient, experts and gates included, against central differences in double.
// The step is so small that no token changes its expert.
TEST(EncoderClassifier, GradientsAreCentralDifferences) {
  EncoderClassifier model = random_classifier(3);
  model->to(torch::kFloat64);
  const LabelledBatch batch = collate_labelled(mixed_examples(), 1);
  const auto loss = [&] { return model->losses(model->encode(batch), batch).mean(); };
  loss().backward();
  torch::NoGradGuard no_grad;
  constexpr double kStep = 1e-6;
  for (auto& item : model->named_parameters()) {
    torch::Tensor flat = item.value().view({-1});
    const torch::Tensor gradient =
        item.value().grad().defined() ? item.value().grad().view({-1}) : torch::zeros_like(flat);
    for (const int64_t i : {int64_t{0}, flat.numel() / 2, flat.numel() - 1}) {
      const double value = flat[i].item<double>();
      flat[i] = value + kStep;
      const double above = loss().item<double>();
      flat[i] = value - kStep;
      const double below = loss().item<double>();
      flat[i] = value;
      const double numeric = (above - below) / (2 * kStep);
      // Rounding of two losses of about 10 over the step, and a third derivative times its square.
      EXPECT_NEAR(gradient[i].item<double>(), numeric, 1e-7 + 1e-6 * std::abs(numeric))
          << item.key() << " " << i;
    }
  }
}

TEST(EncoderClassifier, TheSecondTextIsEmbeddedOtherwise) {
  EncoderClassifier model = random_classifier(1);
  torch::NoGradGuard no_grad;
  LabelledExample pair;
  pair.ids = random_ids({8}, 40)[0];
  pair.second = 4;
  LabelledExample single = pair;
  single.second = 8;
  EXPECT_GT(max_difference(model->encode(collate_labelled({pair}, 1)),
                           model->encode(collate_labelled({single}, 1))),
            1e-3);
}

TEST(EncoderClassifier, EachTaskHasItsGates) {
  EncoderClassifier model = random_classifier(3);
  EXPECT_EQ(model->token_gates().size(), 2u);
  EXPECT_EQ(model->token_gates()[0]->weights().sizes(), (at::IntArrayRef{4, 3, 16}));
  EXPECT_TRUE(random_classifier(1)->token_gates().empty());
}

}  // namespace
}  // namespace trivium::learning
