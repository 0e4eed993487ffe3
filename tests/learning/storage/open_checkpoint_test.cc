// What the core reads of a checkpoint that learning has saved.
#include <gtest/gtest.h>

#include "core/base/temporary_folder.h"
#include "learning/storage/checkpoint.h"
#include "learning/storage/tiny_checkpoint.h"

namespace trivium::learning {
namespace {

TEST(OpenCheckpoint, ReadsTheWeightsThatLearningReads) {
  for (const StorageKind storage : {StorageKind::kFloat32, StorageKind::kInt8}) {
    TemporaryFolder folder;
    save_checkpoint(tiny_checkpoint(), folder.path() / "model", {.storage = storage});
    const Checkpoint whole = load_checkpoint(folder.path() / "model");
    const OpenCheckpoint open = open_checkpoint(folder.path() / "model");
    EXPECT_EQ(open.info.tasks.entries().size(), 3u);
    EXPECT_EQ(open.info.config, whole.config());
    for (const auto& [name, tensor] : model_tensors(whole.model)) {
      EXPECT_TRUE(torch::equal(as_torch(open.files->read(name)), tensor)) << name;
    }
  }
}

TEST(OpenCheckpoint, ADamagedTensorIsNamed) {
  const torch::Tensor bad = torch::tensor({1.0f, NAN});
  EXPECT_EQ(error_of([&] { refuse_damaged(bad, "encoder.layers.0.fc1.bias", "somewhere"); }),
            "76: somewhere: tensor \"encoder.layers.0.fc1.bias\" has a NaN or an infinity");
}

}  // namespace
}  // namespace trivium::learning
