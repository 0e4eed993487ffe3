#include "core/checkpoint/hugging_face_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"
#include "core/config/generation_settings.h"

namespace trivium {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int64_t kOneFile = int64_t{1} << 40;

class HuggingFaceFolderTest : public ::testing::Test {
 protected:
  void write(StorageKind storage = StorageKind::kFloat32) {
    write_hugging_face_folder(checkpoint_.info, checkpoint_.tensors, folder_, storage, kOneFile);
  }
  std::vector<float> stored(const std::string& name) {
    return values_of(TensorFiles(folder_).read(name));
  }

  TemporaryFolder temporary_;
  fs::path folder_ = temporary_.path() / "out";
  TinyCheckpoint checkpoint_ = tiny_checkpoint(TinyModel::kDense);
};

TEST_F(HuggingFaceFolderTest, HasTransformersNamesAndPlainFloats) {
  write();
  const TensorFiles files(folder_);
  EXPECT_EQ(files.names().size(), checkpoint_.tensors.size());
  for (const auto& [name, tensor] : checkpoint_.tensors) {
    const std::string theirs = name == "final_logits_bias" ? name : "model." + name;
    EXPECT_EQ(values_of(files.read(theirs)), values_of(tensor)) << theirs;
  }
  EXPECT_FALSE(fs::exists(folder_ / "manifest.json"));
  EXPECT_TRUE(fs::exists(folder_ / "vocab.txt"));
}

TEST_F(HuggingFaceFolderTest, TheSettingsComeBack) {
  ModelConfig& config = checkpoint_.info.config;
  config.max_length = 20;
  config.early_stopping = EarlyStopping::kNever;
  config.bad_words_ids = {{5}, {6, 7}};
  config.repetition_penalty = 1.5;
  write();
  const Json json = read_json_file(folder_ / "config.json");
  EXPECT_FALSE(json.contains("trivium"));
  EXPECT_FALSE(json.contains("num_beams"));
  const Json generation = read_json_file(folder_ / "generation_config.json");
  EXPECT_EQ(generation.at("max_new_tokens"), 19) << "a max_length of 20 would be 21";
  EXPECT_EQ(model_config_from_json(with_generation_settings(json, generation, "out"), "out"),
            config);
}

TEST_F(HuggingFaceFolderTest, ASmallEpsilonIsScaledIntoTheWeights) {
  checkpoint_.info.config.layer_norm_eps = 1e-12;
  write();
  const Json json = read_json_file(folder_ / "config.json");
  EXPECT_EQ(json.at("scale_embedding"), true);
  const auto expect_factor = [&](const std::string& name, float factor) {
    std::vector<float> expected = values_of(checkpoint_.tensors.at(name));
    for (float& value : expected) value *= factor;
    EXPECT_EQ(stored("model." + name), expected) << name;
  };
  expect_factor("shared.weight", 1);
  expect_factor("decoder.embed_positions.weight", std::sqrt(32.0f));
  for (const std::string stack : {"encoder.", "decoder."}) {
    expect_factor(stack + "layernorm_embedding.weight", 256);
    expect_factor(stack + "layers.0.self_attn.k_proj.weight", 1.0f / 256);
    expect_factor(stack + "layers.0.self_attn.k_proj.bias", 1);
    expect_factor(stack + "layers.0.self_attn.out_proj.weight", 256);
    expect_factor(stack + "layers.0.self_attn_layer_norm.weight", 256);
    expect_factor(stack + "layers.0.fc1.weight", 1.0f / 256);
    expect_factor(stack + "layers.0.final_layer_norm.bias", 256);
    expect_factor(stack + "layers.1.fc2.bias", 256);
    expect_factor(stack + "layers.1.final_layer_norm.weight", 1);
  }
  expect_factor("decoder.layers.0.encoder_attn.k_proj.weight", 1);
  expect_factor("decoder.layers.0.encoder_attn.q_proj.weight", 1.0f / 256);
}

TEST_F(HuggingFaceFolderTest, RefusesWhatHasNoPlaceThere) {
  EXPECT_THAT(error_of([&] { write(StorageKind::kInt8); }),
              AllOf(StartsWith("2: "), HasSubstr("bfloat16")));
  checkpoint_ = tiny_checkpoint(TinyModel::kOneHot);
  EXPECT_THAT(error_of([&] { write(); }), AllOf(StartsWith("2: "), HasSubstr("--task")));
  checkpoint_ = tiny_checkpoint(TinyModel::kTokenGates);
  EXPECT_THAT(error_of([&] { write(); }), AllOf(StartsWith("2: "), HasSubstr("token gates")));
  EXPECT_FALSE(fs::exists(folder_));
  checkpoint_ = tiny_checkpoint(TinyModel::kDense);
  temporary_.write("out/thesis.txt", "years of work");
  EXPECT_THAT(error_of([&] { write(); }), StartsWith("73: "));
}

}  // namespace
}  // namespace trivium
