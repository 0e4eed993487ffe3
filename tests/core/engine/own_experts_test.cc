// Experts that single tasks have for themselves: the engine against a dense model of the same
// weights, and that nobody else's answers change.
#include <gtest/gtest.h>

#include <cstring>

#include "core/engine/cpu/cpu_engine.h"
#include "core/engine/engine.h"
#include "core/engine/random_weights.h"

namespace trivium {
namespace {

// The layers of a dense model of other weights than any of `config`'s.
TensorReader own_reader(const ModelConfig& config, const std::string& task) {
  return [read = random_weights(config), task](const std::string& name) {
    HostTensor tensor = read(task + name);
    tensor.shape = read(name).shape;
    return tensor;
  };
}

// Of a task with own experts in all layers but the decoder's first.
TaskRoute own_route(const ModelConfig& config, const std::string& task) {
  TaskRoute route = dense_route(config);
  for (const LayerPlace& place : places_of(route)) {
    if (place == LayerPlace{true, 0}) continue;
    const bool is_pool = config.routing.num_experts > 1;
    weights_at(route, place) = is_pool ? std::vector<float>{0, 0, 0, 1} : std::vector<float>{0, 1};
  }
  route.own = std::make_shared<const OwnExperts>(OwnExperts{own_reader(config, task)});
  return route;
}

// What answers as a task with own experts does: a model without pools of the same weights.
TensorReader dense_reader(const ModelConfig& config, const std::string& task) {
  return [base = random_weights(config), own = own_reader(config, task)](const std::string& name) {
    const bool is_shared =
        name.find(".layers.") == std::string::npos || name.starts_with("decoder.layers.0.");
    return is_shared ? base(name) : own(name);
  };
}

std::vector<float> logits_of(Engine& engine, const std::vector<std::vector<int32_t>>& sources,
                             const std::vector<const TaskRoute*>& routes) {
  const auto decoder = engine.start(sources, routes, 99, 8);
  std::vector<float> all;
  for (int32_t token = 5; token < 8; ++token) {
    const std::vector<int32_t> tokens(sources.size(), token);
    const std::span<const float> logits = decoder->step(tokens);
    all.insert(all.end(), logits.begin(), logits.end());
  }
  return all;
}

std::vector<float> row_of(const std::vector<float>& logits, size_t row, size_t rows) {
  const size_t width = logits.size() / rows / 3;
  std::vector<float> result;
  for (size_t step = 0; step < 3; ++step) {
    const auto begin = logits.begin() + static_cast<int64_t>((step * rows + row) * width);
    result.insert(result.end(), begin, begin + static_cast<int64_t>(width));
  }
  return result;
}

TEST(OwnExpertsTest, AnswerAsADenseModelOfTheirWeights) {
  for (const int64_t num_experts : {1, 3}) {
    for (const ComputeType type :
         {ComputeType::kFloat32, ComputeType::kBfloat16, ComputeType::kInt8}) {
      const ModelConfig config = engine_config(num_experts);
      EngineOptions options;
      options.type = type;
      const auto engine = make_engine(config, options, random_weights(config));
      const auto dense = make_engine(engine_config(1), options, dense_reader(config, "a"));
      const TaskRoute own = own_route(config, "a"), plain = dense_route(engine_config(1));
      const std::vector<int32_t> source = {5, 6, 7, 8};
      EXPECT_EQ(logits_of(*engine, {source}, {&own}), logits_of(*dense, {source}, {&plain}));
    }
  }
}

TEST(OwnExpertsTest, NobodyElsesAnswersChange) {
  for (const int64_t num_experts : {1, 3}) {
    const ModelConfig config = engine_config(num_experts);
    const auto engine = make_engine(config, {}, random_weights(config));
    const TaskRoute shared = num_experts == 1
                                 ? dense_route(config)
                                 : TaskRoute{{{0, 1, 0}, {1, 0, 0}}, {{1}, {0, 0, 1}, {0, 1, 0}}};
    const std::vector<int32_t> source = {5, 6, 7, 8};
    const std::vector<float> before = logits_of(*engine, {source}, {&shared});
    const TaskRoute a = own_route(config, "a"), b = own_route(config, "b");
    const std::vector<float> of_a = logits_of(*engine, {source}, {&a});
    EXPECT_NE(of_a, before);
    const std::vector<float> mixed =
        logits_of(*engine, {source, source, source}, {&a, &shared, &b});
    EXPECT_EQ(row_of(mixed, 0, 3), of_a);
    EXPECT_EQ(row_of(mixed, 1, 3), before);
    EXPECT_EQ(row_of(mixed, 2, 3), logits_of(*engine, {source}, {&b}));
    EXPECT_EQ(logits_of(*engine, {source}, {&shared}), before);
  }
}

TEST(OwnExpertsTest, ASoftRouteMayMixThemWithSharedOnes) {
  const ModelConfig config = engine_config(3);
  const auto engine = make_engine(config, {}, random_weights(config));
  TaskRoute route = own_route(config, "a");
  weights_at(route, {false, 1}) = {0.25f, 0, 0, 0.75f};
  const std::vector<int32_t> source = {5, 6, 7, 8};
  const std::vector<float> mixed = logits_of(*engine, {source}, {&route});
  weights_at(route, {false, 1}) = {0, 0, 0, 1};
  EXPECT_NE(logits_of(*engine, {source}, {&route}), mixed);
}

TEST(OwnExpertsTest, AreForgottenWhenNobodyHoldsTheirRoute) {
  const ModelConfig config = engine_config(3);
  CpuEngine engine(config, {}, random_weights(config));
  const std::vector<std::vector<int32_t>> source = {{5, 6, 7}};
  const TaskRoute shared{{{0, 1, 0}, {1, 0, 0}}, {{1}, {0, 0, 1}, {0, 1, 0}}};
  const auto columns = [&](size_t layer, size_t expert) {
    return engine.weights().encoder[layer].at(expert).qkv.weights.columns();
  };
  {
    const TaskRoute a = own_route(config, "a");
    logits_of(engine, source, {&a});
    EXPECT_EQ(engine.weights().encoder[1].size(), 4u);
    EXPECT_GT(columns(1, 3), 0);
  }
  logits_of(engine, source, {&shared});
  EXPECT_EQ(columns(1, 3), 0) << "its memory is free";
  // The next two take its place, and one behind it.
  const TaskRoute b = own_route(config, "b"), c = own_route(config, "c");
  const auto answer = logits_of(engine, source, {&b});
  logits_of(engine, source, {&c});
  EXPECT_EQ(engine.weights().encoder[1].size(), 5u);
  EXPECT_EQ(logits_of(engine, source, {&b}), answer);
}

TEST(OwnExpertsTest, ADecoderKeepsThemWhileItAnswers) {
  const ModelConfig config = engine_config(3);
  CpuEngine engine(config, {}, random_weights(config));
  auto a = std::make_unique<TaskRoute>(own_route(config, "a"));
  const std::vector<float> whole = logits_of(engine, {{5, 6, 7, 8}}, {a.get()});
  const TaskRoute shared{{{0, 1, 0}, {1, 0, 0}}, {{1}, {0, 0, 1}, {0, 1, 0}}};
  const auto decoder = engine.start_empty({a.get()}, 2);
  decoder->add_source({5, 6, 7, 8}, a.get());
  decoder->admit();
  a.reset();  // taken away while it is answered
  std::vector<float> logits;
  for (int32_t token = 5; token < 8; ++token) {
    const std::span<const float> step = decoder->step(std::vector<int32_t>{token});
    logits.insert(logits.end(), step.begin(), step.end());
    engine.mean_states({{5, 6}}, {&shared});  // which lets go of what nobody needs
  }
  EXPECT_EQ(logits, whole);
}

}  // namespace
}  // namespace trivium
