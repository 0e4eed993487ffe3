#include "core/checkpoint/squeeze.h"

#include <gtest/gtest.h>

#include "core/checkpoint/model_shapes.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium {
namespace {

TEST(SqueezeTest, LeavesTheTensorsOfADenseModelFromTheRoutesExperts) {
  const TinyCheckpoint routed = tiny_checkpoint();
  std::vector<std::string> names;
  for (const auto& [name, tensor] : routed.tensors) names.push_back(name);
  names.push_back("router.layers.0.weight");
  const TaskRoute route{{{1}, {0, 0, 1}}, {{0.2f, 0.5f, 0.3f}, {1, 0, 0}}};
  const std::map<std::string, std::string> squeezed = squeezed_names(names, route);
  // The names are those of a dense model, none missing and none beside them.
  ShapesByName dense = model_shapes(tiny_config(TinyModel::kDense), 0), found;
  for (const auto& [name, original] : squeezed) found[name] = routed.tensors.at(original).shape;
  EXPECT_EQ(found, dense);
  EXPECT_EQ(squeezed.at("encoder.layers.0.fc1.weight"), "encoder.layers.0.fc1.weight");
  EXPECT_EQ(squeezed.at("encoder.layers.1.fc1.weight"), "encoder.layers.1.experts.2.fc1.weight");
  EXPECT_EQ(squeezed.at("decoder.layers.0.encoder_attn.q_proj.bias"),
            "decoder.layers.0.experts.1.encoder_attn.q_proj.bias");
  EXPECT_EQ(squeezed.at("decoder.layers.1.final_layer_norm.weight"),
            "decoder.layers.1.experts.0.final_layer_norm.weight");
}

TEST(SqueezeTest, KnowsOneTaskWhateverAPromptsWords) {
  CheckpointInfo info = tiny_checkpoint().info;
  const TaskEntry mnli = info.tasks.find("mnli");
  know_only(info, mnli);
  ASSERT_EQ(info.tasks.names(), std::vector<std::string>{"mnli"});
  for (const char* text : {"", "a witty film", "how many apples are left"}) {
    EXPECT_EQ(info.finder->find(text).at(0).task, "mnli") << text;
  }
}

}  // namespace
}  // namespace trivium
