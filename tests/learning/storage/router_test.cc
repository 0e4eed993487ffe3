// Every kind of router against PyTorch's modules, and through a checkpoint.
#include <gtest/gtest.h>

#include "core/base/temporary_folder.h"
#include "learning/storage/tiny_model.h"

namespace trivium::learning {
namespace {

class RouterTest : public ::testing::TestWithParam<std::string> {};

// tests/golden/routers.safetensors, made by tools/make_router_golden.py.
TEST_P(RouterTest, ComputesWhatPyTorchDoes) {
  const NamedTensors golden =
      read_golden(std::filesystem::path(TRIVIUM_TEST_DATA) / "routers.safetensors");
  const torch::Tensor vectors = golden.at(GetParam() + ".vectors");
  const torch::Tensor expected = golden.at(GetParam() + ".logits");
  RoutingConfig config;
  config.router = value_in(router_names(), GetParam());
  config.num_experts = expected.size(2);
  config.task_vector_dim = vectors.size(1);
  config.router_hidden_dim = 12;
  const auto router = make_router(config, expected.size(0));
  router->eval();
  torch::NoGradGuard no_grad;
  const std::string prefix = GetParam() + ".weights.";
  size_t in_golden = 0;
  for (const auto& item : golden) in_golden += item.first.starts_with(prefix);
  const auto parameters = router->named_parameters();
  EXPECT_EQ(parameters.size(), in_golden);
  for (const auto& item : parameters) {
    ASSERT_EQ(item.value().sizes(), golden.at(prefix + item.key()).sizes()) << item.key();
    torch::Tensor(item.value()).copy_(golden.at(prefix + item.key()));
  }
  const torch::Tensor logits = router->forward(vectors);
  ASSERT_EQ(logits.sizes(), expected.sizes());
  EXPECT_GT(expected.std().item<double>(), 0.1);
  EXPECT_LT(max_difference(logits, expected), 2e-5);
}

TEST_P(RouterTest, GoesThroughACheckpoint) {
  const Checkpoint dense = import_bart(tiny_bart(), {});
  ExpertOptions options = three_experts();
  options.routing.router = value_in(router_names(), GetParam());
  options.routing.router_hidden_dim = 8;
  options.router_std = 0.5;
  Checkpoint routed = make_routed(dense, options);
  torch::manual_seed(99);  // the router's weights follow from options.seed alone
  const Checkpoint again = make_routed(dense, options);
  TemporaryFolder folder;
  save_checkpoint(routed, folder.path() / "routed", {});
  Checkpoint loaded = load_checkpoint(folder.path() / "routed");
  EXPECT_EQ(loaded.config(), routed.config());
  EXPECT_EQ(loaded.config().routing.router, value_in(router_names(), GetParam()));
  const NamedTensors before = model_tensors(routed.model), same = model_tensors(again.model),
                     after = model_tensors(loaded.model);
  ASSERT_EQ(before.size(), after.size());
  for (const auto& [name, tensor] : before) {
    EXPECT_TRUE(torch::equal(tensor, after.at(name))) << name;
    EXPECT_TRUE(torch::equal(tensor, same.at(name))) << name;
  }
  routed.model->eval();
  loaded.model->eval();
  const torch::Tensor tasks = torch::arange(5);
  const torch::Tensor logits = loaded.model->router_logits(tasks);
  EXPECT_TRUE(torch::equal(logits, routed.model->router_logits(tasks)));
  EXPECT_GT(logits.std().item<double>(), 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Kinds, RouterTest, ::testing::ValuesIn(names_of(router_names())),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace trivium::learning
