#include "learning/model/routing.h"

#include <gtest/gtest.h>

#include <set>

#include "learning/model/random_model.h"
#include "learning/model/selection.h"

namespace trivium::learning {
namespace {

// Sources, decoder inputs and routes of rows of different length and task.
class RoutingTest : public ::testing::Test {
 protected:
  const std::vector<std::vector<int32_t>> sources_ = random_ids({5, 9, 3, 7, 9}, 40, 11);
  const std::vector<std::vector<int32_t>> targets_ = random_ids({6, 6, 6, 6, 6}, 40, 12);
  const SourceBatch source_ = collate_sources(sources_, 1);
  const torch::Tensor input_ = collate_sources(targets_, 1).ids;
};

TEST_F(RoutingTest, PoolOfIdenticalExpertsIsTheDenseModel) {
  torch::NoGradGuard no_grad;
  Seq2SeqModel routed = random_model(small_config(3));
  for (auto& item : routed->named_parameters()) {
    for (const char* copy : {".experts.1.", ".experts.2."}) {
      const size_t at = item.key().find(copy);
      if (at == std::string::npos) continue;
      std::string first = item.key();
      first.replace(at, std::string(copy).size(), ".experts.0.");
      item.value().copy_(routed->named_parameters()[first]);
    }
  }
  Seq2SeqModel dense = dense_part(routed, [](bool, int64_t) { return 0; });
  const torch::Tensor expected = forward_logits(dense, source_, input_);
  for (uint64_t seed : {1, 2, 3}) {
    const RoutingWeights soft = soft_routes(routed->config(), 5, seed);
    EXPECT_LT(max_difference(forward_logits(routed, source_, input_, soft), expected), 1e-5);
    const RoutingWeights hard = hard_routes(routed->config(), 5, seed);
    EXPECT_LT(max_difference(forward_logits(routed, source_, input_, hard), expected), 1e-5);
  }
}

TEST_F(RoutingTest, OneHotRouteIsThatExpertAlone) {
  torch::NoGradGuard no_grad;
  Seq2SeqModel routed = random_model(small_config(3));
  const std::vector<std::vector<int64_t>> experts = {{2, 0}, {1, 2}};  // of encoder and decoder
  RoutingWeights routes{torch::zeros({2, 5, 3}), torch::zeros({2, 5, 3})};
  for (int64_t l = 0; l < 2; ++l) {
    routes.encoder[l].select(1, experts[0][l]).fill_(1);
    routes.decoder[l].select(1, experts[1][l]).fill_(1);
  }
  Seq2SeqModel dense = dense_part(
      routed, [&](bool encoder, int64_t layer) { return experts[encoder ? 0 : 1][layer]; });
  EXPECT_TRUE(torch::equal(forward_logits(routed, source_, input_, routes),
                           forward_logits(dense, source_, input_)));
  Seq2SeqModel other = dense_part(routed, [](bool, int64_t) { return 0; });
  EXPECT_GT(max_difference(forward_logits(routed, source_, input_, routes),
                           forward_logits(other, source_, input_)),
            0.1);
}

TEST_F(RoutingTest, RowsOfMixedTasksAreWhatEachIsAlone) {
  torch::NoGradGuard no_grad;
  Seq2SeqModel model = random_model(small_config(3));
  for (const RoutingWeights& routes :
       {soft_routes(model->config(), 5), hard_routes(model->config(), 5)}) {
    const torch::Tensor together = forward_logits(model, source_, input_, routes);
    for (int64_t b = 0; b < 5; ++b) {
      const torch::Tensor alone = forward_logits(model, collate_sources({sources_[b]}, 1),
                                                 input_.narrow(0, b, 1), route_rows(routes, {b}));
      EXPECT_LT(max_difference(together.narrow(0, b, 1), alone), 1e-5) << "row " << b;
    }
  }
}

// docs/spec/parity.md, A9: the reference builds the decoder from the encoder's list.
TEST_F(RoutingTest, ReferenceDefectA9_EachStackHasItsOwnVanillaLayers) {
  torch::NoGradGuard no_grad;
  const std::vector<std::vector<int64_t>> lists = {{}, {0}, {1}, {0, 1}};
  for (const auto& encoder_list : lists) {
    for (const auto& decoder_list : lists) {
      ModelConfig config = small_config(3);
      config.routing.encoder_vanilla_layers = encoder_list;
      config.routing.decoder_vanilla_layers = decoder_list;
      Seq2SeqModel model = random_model(config);
      const auto is_vanilla = [](const std::vector<int64_t>& list, int64_t l) {
        return std::find(list.begin(), list.end(), l) != list.end();
      };
      for (int64_t l = 0; l < 2; ++l) {
        EXPECT_EQ(model->encoder()->layers()[l].experts.size(),
                  is_vanilla(encoder_list, l) ? 1 : 3);
        EXPECT_EQ(model->decoder()->layers()[l].experts.size(),
                  is_vanilla(decoder_list, l) ? 1 : 3);
      }
      const RoutingWeights routes = hard_routes(config, 1);
      Seq2SeqModel dense = dense_part(model, [&](bool encoder, int64_t layer) {
        const torch::Tensor& weights = encoder ? routes.encoder : routes.decoder;
        return weights[layer][0].argmax().item<int64_t>();
      });
      const SourceBatch source = collate_sources({sources_[0]}, 1);
      const torch::Tensor input = input_.narrow(0, 0, 1);
      EXPECT_TRUE(torch::equal(forward_logits(model, source, input, routes),
                               forward_logits(dense, source, input)));
    }
  }
}

TEST_F(RoutingTest, PlansRows) {
  const torch::Tensor weights =
      torch::tensor({{{1.0, 0.0, 0.0}, {0.0, 0.0, 1.0}}}).requires_grad_();
  const StackPlan plan = make_stack_plan(weights);
  ASSERT_EQ(plan.size(), 1u);
  EXPECT_TRUE(plan[0].unit_weights);
  EXPECT_TRUE(plan[0].needs_gradient);
  EXPECT_EQ(plan[0].active[0].count, 1);
  EXPECT_EQ(plan[0].active[1].count, 0);
  EXPECT_EQ(plan[0].inactive[1].count, 2);
  EXPECT_TRUE(plan[0].inactive[1].all());
  EXPECT_EQ(plan[0].inactive[2].index.item<int64_t>(), 0);
  torch::NoGradGuard no_grad;
  const StackPlan inference = make_stack_plan(weights);
  EXPECT_TRUE(inference[0].unit_weights);
  EXPECT_FALSE(inference[0].needs_gradient);
  EXPECT_TRUE(inference[0].inactive.empty());
  EXPECT_FALSE(make_stack_plan(torch::full({1, 2, 2}, 0.5))[0].unit_weights);
  EXPECT_TRUE(make_stack_plan({}).empty());
}

// Gradients in double precision of a scalar of the routed model's logits, once through the plans,
// which give unselected experts no backward pass, and once through the formula as it stands:
// h' = sum_e weight_e * Layer_e(h) with every expert in full.
class StraightThroughTest : public RoutingTest,
                            public ::testing::WithParamInterface<SelectionKind> {
 protected:
  StraightThroughTest() {
    model_ = random_model(small_config(3), 5);
    model_->to(torch::kDouble);
    model_->train();
    torch::manual_seed(7);
    noise_ = draw_gumbel({4, 5, 3}, at::detail::createCPUGenerator(3)).to(torch::kDouble);
    probe_ = torch::randn({5, 6, 40}, torch::kDouble);
  }

  RoutingWeights weights() {
    const torch::Tensor tasks = torch::tensor({0, 1, 2, 3, 1}, torch::kInt64);
    return model_->split_stacks(
        select_experts(model_->router_logits(tasks), GetParam(), /*temperature=*/0.7, noise_));
  }

  torch::Tensor plain_formula() {
    const RoutingWeights route = weights();
    const torch::Tensor keys = attention_mask(source_.mask);
    const auto mix = [](const torch::Tensor& weight, const std::vector<torch::Tensor>& outputs) {
      torch::Tensor sum;
      for (size_t e = 0; e < outputs.size(); ++e) {
        const torch::Tensor term =
            weight.select(1, static_cast<int64_t>(e)).view({-1, 1, 1}) * outputs[e];
        sum = e == 0 ? term : sum + term;
      }
      return sum;
    };
    torch::Tensor memory =
        model_->encoder()->embed(torch::embedding(model_->shared_weight(), source_.ids), 0);
    for (int64_t l = 0; l < 2; ++l) {
      std::vector<torch::Tensor> outputs;
      for (auto& expert : model_->encoder()->layers()[l].experts) {
        outputs.push_back(expert(memory, keys));
      }
      memory = mix(route.encoder[l], outputs);
    }
    torch::Tensor hidden =
        model_->decoder()->embed(torch::embedding(model_->shared_weight(), input_), 0);
    for (int64_t l = 0; l < 2; ++l) {
      std::vector<torch::Tensor> outputs;
      for (auto& expert : model_->decoder()->layers()[l].experts) {
        outputs.push_back(expert(hidden, memory, keys));
      }
      hidden = mix(route.decoder[l], outputs);
    }
    return model_->logits(hidden);
  }

  // Every parameter's gradient of sum(probe * logits); zeros where there is none.
  std::vector<torch::Tensor> gradients(const torch::Tensor& logits) {
    model_->zero_grad();
    (logits * probe_).sum().backward();
    std::vector<torch::Tensor> result;
    for (const torch::Tensor& parameter : model_->parameters()) {
      result.push_back(parameter.grad().defined() ? parameter.grad().clone()
                                                  : torch::zeros_like(parameter));
    }
    return result;
  }

  Seq2SeqModel model_{nullptr};
  torch::Tensor noise_, probe_;
};

TEST_P(StraightThroughTest, GradientsAreThoseOfTheFormula) {
  const torch::Tensor expected_logits = plain_formula();
  const std::vector<torch::Tensor> expected = gradients(expected_logits);
  const torch::Tensor logits = forward_logits(model_, source_, input_, weights());
  EXPECT_LT(max_difference(logits, expected_logits), 1e-10);
  const std::vector<torch::Tensor> actual = gradients(logits);
  const std::vector<std::string> names = model_->named_parameters().keys();
  std::set<std::string> parts;
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_LT(max_difference(actual[i], expected[i]), 1e-9) << names[i];
    if (expected[i].abs().max().item<double>() > 1e-3) {
      parts.insert(names[i].substr(0, names[i].find('.')));
    }
  }
  // The comparison is not of zeros.
  EXPECT_EQ(parts,
            (std::set<std::string>{"shared", "encoder", "decoder", "router", "task_vectors"}));
}

INSTANTIATE_TEST_SUITE_P(Selections, StraightThroughTest,
                         ::testing::Values(SelectionKind::kSoftmax, SelectionKind::kGumbelSoftmax,
                                           SelectionKind::kGumbelStraightThrough));

}  // namespace
}  // namespace trivium::learning
