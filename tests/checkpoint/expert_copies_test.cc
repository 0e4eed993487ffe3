#include "checkpoint/expert_copies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "checkpoint/tiny_model.h"

namespace trivium {
namespace {

TEST(ExpertCopies, ARoutedCheckpointIsTheImportWithTheSameOptions) {
  const Checkpoint dense = import_bart(tiny_bart(), {});
  const NamedTensors before = model_tensors(dense.model);
  Checkpoint routed = make_routed(dense, three_experts());
  const Checkpoint imported = import_bart(tiny_bart(), three_experts());
  EXPECT_EQ(routed.config, imported.config);
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

}  // namespace
}  // namespace trivium
