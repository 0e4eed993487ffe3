#include "learning/reference/fixed_route.h"

#include <gtest/gtest.h>

#include "core/base/temporary_folder.h"
#include "learning/model/model_routes.h"
#include "learning/storage/tiny_checkpoint.h"

namespace trivium::learning {
namespace {

// Logits [tgt_len, vocab_size] of one made-up example along `route`.
torch::Tensor logits_along(Seq2SeqModel model, const TaskRoute& route) {
  torch::NoGradGuard no_grad;
  model->eval();
  const torch::Tensor source = torch::tensor({{2, 10, 20, 30, 3}}, torch::kInt64);
  const torch::Tensor target = torch::tensor({{3, 11, 12}}, torch::kInt64);
  const torch::Tensor mask = torch::ones_like(source, torch::kBool);
  const RoutingWeights weights = routing_weights({&route}, model->config(), torch::kCPU);
  const torch::Tensor memory = model->encode(source, mask, make_stack_plan(weights.encoder));
  return model->logits(
      model->decode(target, memory, mask, make_stack_plan(weights.decoder)).squeeze(0));
}

const TaskRoute kDenseRoute{{{1}, {1}}, {{1}, {1}}};

TEST(FixedRouteTest, SqueezedModelComputesTheRoutedModelAlongTheRoute) {
  const Checkpoint routed = tiny_checkpoint();
  const TaskRoute routes[] = {{{{1}, {0, 1, 0}}, {{0, 0, 1}, {1, 0, 0}}},
                              {{{1}, {0, 0, 1}}, {{0, 1, 0}, {0, 1, 0}}}};
  std::vector<torch::Tensor> all;
  for (const TaskRoute& route : routes) {
    const Checkpoint dense = squeeze(routed, route);
    EXPECT_FALSE(dense.model->is_routed());
    all.push_back(logits_along(dense.model, kDenseRoute));
    EXPECT_TRUE(torch::equal(all.back(), logits_along(routed.model, route)));
  }
  EXPECT_FALSE(torch::equal(all[0], all[1]));
}

TEST(FixedRouteTest, SqueezeTakesTheMainExpertOfASoftRoute) {
  const Checkpoint routed = tiny_checkpoint();
  const Checkpoint soft =
      squeeze(routed, {{{1}, {0.2f, 0.5f, 0.3f}}, {{0.1f, 0.1f, 0.8f}, {0.4f, 0.3f, 0.3f}}});
  const Checkpoint hard = squeeze(routed, {{{1}, {0, 1, 0}}, {{0, 0, 1}, {1, 0, 0}}});
  for (const auto& [name, tensor] : model_tensors(soft.model)) {
    EXPECT_TRUE(torch::equal(tensor, model_tensors(hard.model).at(name))) << name;
  }
}

TEST(FixedRouteTest, AFixedRouteIsTheModelsOnlyOne) {
  const Checkpoint routed = tiny_checkpoint();
  const TaskRoute route{{{1}, {0.5f, 0.25f, 0.25f}}, {{0, 0, 1}, {1, 0, 0}}};
  Checkpoint fixed = with_fixed_route(routed, route);
  EXPECT_EQ(route_of_task(fixed.model, 0, 1.0), route);
  EXPECT_EQ(fixed.model->num_tasks(), 1);
  EXPECT_TRUE(torch::equal(logits_along(fixed.model, route), logits_along(routed.model, route)));
  // Again from a model that has a table already.
  const Checkpoint twice = with_fixed_route(fixed, {{{1}, {0, 1, 0}}, {{0, 0, 1}, {1, 0, 0}}});
  EXPECT_EQ(twice.model->num_tasks(), 1);
}

TEST(FixedRouteTest, CopiesTheWeights) {
  const Checkpoint routed = tiny_checkpoint();
  const Checkpoint dense = squeeze(routed, {{{1}, {1, 0, 0}}, {{1, 0, 0}, {1, 0, 0}}});
  torch::NoGradGuard no_grad;
  Seq2SeqModel model = dense.model;
  model->shared_weight().zero_();
  Seq2SeqModel original = routed.model;
  EXPECT_NE(original->shared_weight().abs().sum().item<float>(), 0);
}

TEST(FixedRouteTest, IsSavedWithTheOneTaskItKnows) {
  const Checkpoint routed = tiny_checkpoint();
  const TaskRoute route{{{1}, {0, 1, 0}}, {{0, 0, 1}, {1, 0, 0}}};
  for (const bool dense : {false, true}) {
    Checkpoint bound = dense ? squeeze(routed, route) : with_fixed_route(routed, route);
    know_only(bound, routed.tasks.find("mnli"));
    const TemporaryFolder temporary;
    save_checkpoint(bound, temporary.path() / "bound");
    Checkpoint loaded = load_checkpoint(temporary.path() / "bound");
    EXPECT_EQ(loaded.tasks.names(), std::vector<std::string>{"mnli"});
    EXPECT_EQ(loaded.finder->find("a witty film").at(0).task, "mnli");
    EXPECT_EQ(route_of_task(loaded.model, 0, 1.0), dense ? kDenseRoute : route);
  }
}

}  // namespace
}  // namespace trivium::learning
