// Checkpoints whose weights stay on the disk until they are asked for.
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "learning/storage/checkpoint.h"
#include "core/base/temporary_folder.h"
#include "core/inference/tiny_checkpoint.h"

namespace trivium::learning {
namespace {

TEST(OpenCheckpoint, HoldsTheRoutesAndReadsTheRestOnDemand) {
  for (const StorageKind storage : {StorageKind::kFloat32, StorageKind::kInt8}) {
    TemporaryFolder folder;
    save_checkpoint(tiny_checkpoint(), folder.path() / "model", {.storage = storage});
    Checkpoint whole = load_checkpoint(folder.path() / "model");
    OpenCheckpoint open = open_checkpoint(folder.path() / "model");
    EXPECT_EQ(open.checkpoint.tasks.entries().size(), 3u);
    const torch::Tensor ids = torch::arange(3);
    EXPECT_TRUE(torch::equal(open.checkpoint.model->inference_routes(ids, 1),
                             whole.model->inference_routes(ids, 1)));
    const NamedTensors expected = model_tensors(whole.model);
    for (const auto& [name, tensor] : model_tensors(open.checkpoint.model)) {
      const bool is_route = name.starts_with("router.") || name == "task_vectors.weight";
      EXPECT_EQ(tensor.numel() > 0, is_route) << name;
      EXPECT_TRUE(torch::equal(open.files->read(name), expected.at(name))) << name;
    }
  }
}

TEST(OpenCheckpoint, RefusesTensorsThatDoNotFit) {
  TemporaryFolder folder;
  Checkpoint checkpoint = tiny_checkpoint();
  save_checkpoint(checkpoint, folder.path() / "model");
  checkpoint.config.encoder_ffn_dim += 8;  // config.json of another shape beside the same weights
  const Checkpoint other = tiny_checkpoint();
  checkpoint.model = other.model;
  save_checkpoint(checkpoint, folder.path() / "bad");
  try {
    open_checkpoint(folder.path() / "bad");
    FAIL() << "fc1 has another shape";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadModel);
    EXPECT_NE(std::string(error.what()).find("encoder.layers.0.fc1"), std::string::npos)
        << error.what();
  }
}

TEST(OpenCheckpoint, ADamagedTensorIsNamed) {
  const torch::Tensor bad = torch::tensor({1.0f, NAN});
  try {
    refuse_damaged(bad, "encoder.layers.0.fc1.bias", "somewhere");
    FAIL() << "it has a NaN";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadModel);
    EXPECT_NE(std::string(error.what()).find("encoder.layers.0.fc1.bias"), std::string::npos);
  }
}

}  // namespace
}  // namespace trivium::learning
