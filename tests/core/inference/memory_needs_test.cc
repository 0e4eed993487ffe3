#include "core/inference/memory_needs.h"

#include <gtest/gtest.h>

#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium {
namespace {

MemoryNeeds needs_of(TinyModel kind, ComputeType type, int64_t tokens) {
  const TemporaryFolder temporary;
  save_checkpoint(tiny_checkpoint(kind), temporary.path() / "model");
  const LoadedModel model(temporary.path() / "model", EngineOptions{});
  return memory_needs(model, type, tokens);
}

// Two decoder layers of width 32: a key and a value of each for every token.
TEST(MemoryNeedsTest, CountsKeysAndValues) {
  EXPECT_EQ(needs_of(TinyModel::kDense, ComputeType::kFloat32, 10).cells, 10 * 2 * 2 * 32 * 4);
  EXPECT_EQ(needs_of(TinyModel::kOneHot, ComputeType::kFloat32, 10).cells, 10 * 2 * 2 * 32 * 4);
  EXPECT_EQ(needs_of(TinyModel::kSoft, ComputeType::kFloat32, 10).cells, 10 * 2 * 3 * 2 * 32 * 4);
  EXPECT_EQ(needs_of(TinyModel::kDense, ComputeType::kBfloat16, 10).cells, 10 * 2 * 2 * 32 * 2);
}

TEST(MemoryNeedsTest, CountsEveryWeight) {
  int64_t elements = 0;
  for (const auto& [name, tensor] : tiny_checkpoint().tensors) elements += tensor.size();
  EXPECT_EQ(needs_of(TinyModel::kOneHot, ComputeType::kFloat32, 1).weights, 4 * elements);
  EXPECT_EQ(needs_of(TinyModel::kOneHot, ComputeType::kInt8, 1).weights, elements);
}

}  // namespace
}  // namespace trivium
