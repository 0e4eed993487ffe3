#include "core/checkpoint/model_shapes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Shape = std::vector<int64_t>;

double elements_of(const ShapesByName& shapes) {
  double sum = 0;
  for (const auto& [name, shape] : shapes) {
    sum += static_cast<double>(HostTensor{nullptr, shape}.size());
  }
  return sum;
}

std::string refusal(const ModelConfig& config, const ShapesByName& found) {
  return error_of([&] { refuse_other_shapes(config, found, "folder"); });
}

TEST(ModelShapesTest, NamesTheTensorsOfEveryKindOfModel) {
  const ShapesByName dense = model_shapes(tiny_config(TinyModel::kDense), 3);
  EXPECT_EQ(dense.at("shared.weight"), (Shape{100, 32}));
  EXPECT_EQ(dense.at("final_logits_bias"), (Shape{1, 100}));
  EXPECT_EQ(dense.at("encoder.embed_positions.weight"), (Shape{202, 32})) << "BART's offset is 2";
  EXPECT_EQ(dense.at("decoder.layers.1.encoder_attn.k_proj.weight"), (Shape{32, 32}));
  EXPECT_EQ(dense.at("decoder.layers.1.fc1.weight"), (Shape{48, 32}));
  EXPECT_FALSE(dense.contains("encoder.layers.1.encoder_attn.k_proj.weight"));
  EXPECT_FALSE(dense.contains("decoder.layers.2.fc1.weight"));
  // 2 top tensors; 3 a stack beside its layers; 16 a layer, 26 one that crosses.
  EXPECT_EQ(dense.size(), 2 + 2 * 3 + 2 * 16 + 2 * 26u);

  const ShapesByName routed = model_shapes(tiny_config(TinyModel::kOneHot), 3);
  EXPECT_EQ(routed.at("task_vectors.weight"), (Shape{3, 8}));
  EXPECT_TRUE(routed.contains("encoder.layers.0.fc1.weight")) << "an ordinary layer";
  EXPECT_EQ(routed.at("encoder.layers.1.experts.2.fc2.weight"), (Shape{32, 48}));
  EXPECT_FALSE(routed.contains("encoder.layers.1.fc2.weight"));
  EXPECT_EQ(routed.size(), 2 + 2 * 3 + (1 + 3) * 16 + 2 * 3 * 26 + 1u);

  ModelConfig table = tiny_config(TinyModel::kOneHot);
  table.routing.route_source = RouteSource::kTable;
  EXPECT_EQ(model_shapes(table, 5).at("route_table.weight"), (Shape{5, 4 * 3}));
  EXPECT_FALSE(model_shapes(table, 5).contains("task_vectors.weight"));

  ModelConfig gated = tiny_config(TinyModel::kTokenGates);
  EXPECT_EQ(model_shapes(gated, 5).at("decoder.layers.0.gate.weight"), (Shape{5, 3, 32}));
  EXPECT_EQ(model_shapes(gated, 5).at("decoder.layers.0.experts.1.fc1.bias"), Shape{48});
  gated.token_experts.gates = TokenGates::kShared;
  EXPECT_EQ(model_shapes(gated, 5).at("decoder.layers.0.gate.weight"), (Shape{1, 3, 32}));
  gated.token_experts.gates = TokenGates::kPerTask;
  gated.token_experts.gate_embedding_dim = 6;
  EXPECT_EQ(model_shapes(gated, 5).at("gate_embeddings.weight"), (Shape{5, 6}));
  EXPECT_EQ(model_shapes(gated, 5).at("encoder.layers.0.gate.generator"), (Shape{3 * 32, 6}));
  EXPECT_FALSE(model_shapes(gated, 5).contains("encoder.layers.0.gate.weight"));
}

// parameter_count is another sum over the same model: neither knows the other.
TEST(ModelShapesTest, HoldsAsManyNumbersAsTheConfigurationCounts) {
  for (const TinyModel kind : {TinyModel::kDense, TinyModel::kTokenGates}) {
    const ModelConfig config = tiny_config(kind);
    ShapesByName shapes = model_shapes(config, 3);
    for (auto place = shapes.begin(); place != shapes.end();) {
      const bool is_of_tasks = place->first.ends_with("gate.weight");
      place = is_of_tasks || place->first == "final_logits_bias" ? shapes.erase(place)
                                                                 : std::next(place);
    }
    EXPECT_EQ(elements_of(shapes), parameter_count(config));
  }
}

TEST(ModelShapesTest, CountsTasksByTheTensorThatHoldsThem) {
  const auto rows = [](const ModelConfig& config) {
    const ShapesByName shapes = model_shapes(config, 7);
    return count_task_rows(config, [&](const std::string& name) {
      return shapes.contains(name) ? shapes.at(name) : Shape();
    });
  };
  ModelConfig config = tiny_config(TinyModel::kOneHot);
  EXPECT_TRUE(has_task_rows(config));
  EXPECT_EQ(rows(config), 7);
  config.routing.route_source = RouteSource::kTable;
  EXPECT_EQ(rows(config), 7);
  config = tiny_config(TinyModel::kTokenGates);
  EXPECT_EQ(rows(config), 7);
  config.token_experts.gate_embedding_dim = 4;
  EXPECT_EQ(rows(config), 7);
  config = tiny_config(TinyModel::kTokenGates);
  config.token_experts.gates = TokenGates::kShared;
  EXPECT_FALSE(has_task_rows(config));
  EXPECT_EQ(rows(config), 0);
  EXPECT_FALSE(has_task_rows(tiny_config(TinyModel::kDense)));
  EXPECT_EQ(count_task_rows(tiny_config(TinyModel::kOneHot), [](const auto&) { return Shape(); }),
            0);
}

TEST(ModelShapesTest, TensorsAreRefusedByName) {
  const ModelConfig config = tiny_config(TinyModel::kOneHot);
  const ShapesByName good = model_shapes(config, 3);
  EXPECT_EQ(refusal(config, good), "");
  const std::string name = "decoder.layers.1.experts.2.fc1.weight";
  ShapesByName bad = good;
  bad.erase(name);
  EXPECT_EQ(refusal(config, bad), "76: folder: tensor \"" + name + "\" is missing");
  bad = good;
  bad[name] = {32, 48};
  EXPECT_EQ(refusal(config, bad),
            "76: folder: tensor \"" + name +
                "\" has the shape [32, 48], but config.json asks for [48, 32]");
  bad = good;
  bad["decoder.layers.1.experts.3.fc1.weight"] = good.at(name);
  EXPECT_THAT(refusal(config, bad),
              HasSubstr("\"decoder.layers.1.experts.3.fc1.weight\" is unknown"));
  bad = good;
  bad.erase("task_vectors.weight");
  EXPECT_THAT(refusal(config, bad), HasSubstr("\"task_vectors.weight\" is missing"));
  bad["task_vectors.weight"] = {};
  EXPECT_THAT(refusal(config, bad), HasSubstr("\"task_vectors.weight\" has the shape []"));
  bad["task_vectors.weight"] = {3, 9};
  EXPECT_THAT(refusal(config, bad), HasSubstr("has the shape [3, 9]"));
}

// The router's tensors are training's: their shapes are not the core's to judge.
TEST(ModelShapesTest, ARouterIsAllowedWhereThereArePools) {
  ShapesByName routed = model_shapes(tiny_config(TinyModel::kOneHot), 3);
  routed["router.layers.0.weight"] = {6, 8};
  EXPECT_EQ(refusal(tiny_config(TinyModel::kOneHot), routed), "");
  ShapesByName dense = model_shapes(tiny_config(TinyModel::kDense), 3);
  dense["router.layers.0.weight"] = {6, 8};
  EXPECT_THAT(refusal(tiny_config(TinyModel::kDense), dense),
              HasSubstr("\"router.layers.0.weight\" is unknown"));
}

TEST(ModelShapesTest, TellsWhatOnlyChoosesRoutes) {
  for (const char* name : {"router.gru.weight", "task_vectors.weight", "route_table.weight"}) {
    EXPECT_TRUE(only_chooses_routes(name)) << name;
  }
  for (const char* name : {"encoder.layers.0.gate.weight", "shared.weight", "my_router.weight"}) {
    EXPECT_FALSE(only_chooses_routes(name)) << name;
  }
}

TEST(ModelShapesTest, RefusesAConfigurationFarLargerThanTheWeights) {
  ModelConfig config = tiny_config(TinyModel::kDense);
  EXPECT_EQ(error_of([&] { refuse_oversized(config, parameter_count(config), "folder"); }), "");
  config.encoder_layers = 200;
  config.encoder_ffn_dim = 65536;
  EXPECT_THAT(error_of([&] { refuse_oversized(config, 70000, "folder"); }),
              AllOf(StartsWith("76: folder: config.json asks for "),
                    HasSubstr("but the safetensors hold 70000")));
}

}  // namespace
}  // namespace trivium
