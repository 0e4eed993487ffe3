#include "learning/storage/expert_copies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "learning/storage/tiny_model.h"

namespace trivium::learning {
namespace {

TEST(ExpertCopies, ARoutedCheckpointIsTheImportWithTheSameOptions) {
  const Checkpoint dense = import_bart(tiny_bart(), {});
  const NamedTensors before = model_tensors(dense.model);
  Checkpoint routed = make_routed(dense, three_experts());
  const Checkpoint imported = import_bart(tiny_bart(), three_experts());
  EXPECT_EQ(routed.config(), imported.config());
  const NamedTensors first = model_tensors(routed.model), second = model_tensors(imported.model);
  ASSERT_EQ(first.size(), second.size());
  for (const auto& [name, tensor] : first) {
    EXPECT_TRUE(torch::equal(tensor, second.at(name))) << name;
  }
  // The dense model keeps its own memory.
  torch::NoGradGuard no_grad;
  routed.model->shared_weight().zero_();
  EXPECT_NE(before.at("shared.weight").abs().sum().item<float>(), 0);
  EXPECT_THROW(make_routed(routed, three_experts()), Error);
}

TEST(ExpertCopies, ConstantRoutesReplaceTheRouter) {
  const Checkpoint routed = make_routed(import_bart(tiny_bart(), {}), three_experts());
  const int64_t layers = routed.config().encoder_layers + routed.config().decoder_layers;
  torch::Tensor weights = torch::zeros({layers, 2, 3});
  weights.select(1, 0).select(1, 2).fill_(1);
  weights.select(1, 1).fill_(1.0 / 3);
  Checkpoint constant = with_constant_routes(routed, weights, {});
  EXPECT_FALSE(constant.model->has_router());
  EXPECT_EQ(constant.model->num_tasks(), 2);
  EXPECT_TRUE(torch::equal(
      constant.model->inference_routes(torch::tensor({0, 1}, torch::kInt64), 1.0), weights));
  // The experts are copies.
  const std::string expert = "decoder.layers.0.experts.1.fc1.weight";
  const torch::Tensor before = model_tensors(routed.model).at(expert).clone();
  torch::NoGradGuard no_grad;
  model_tensors(constant.model).at(expert).zero_();
  EXPECT_TRUE(torch::equal(model_tensors(routed.model).at(expert), before));

  NamedTensors tensors = model_tensors(constant.model);
  for (auto& [name, tensor] : tensors) tensor = tensor.clone();
  tensors["route_table.weight"][1][0] = 0.9;
  try {
    model_from_tensors(constant.config(), tensors, "folder");
    FAIL() << "weights that do not add up were taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadModel);
    EXPECT_THAT(error.what(), testing::HasSubstr("route_table.weight"));
  }
}

}  // namespace
}  // namespace trivium::learning
