#include "core/inference/gate_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"
#include "core/engine/plain_transformer.h"

namespace trivium {
namespace {

using ::testing::StartsWith;

class GateMapTest : public ::testing::Test {
 protected:
  std::shared_ptr<Engine> engine() const {
    return make_engine(checkpoint_.info.config, {}, checkpoint_.reader());
  }

  TinyCheckpoint checkpoint_ = tiny_checkpoint(TinyModel::kTokenGates);
  std::vector<int32_t> source_ = checkpoint_.info.tokenizer->encode_with_special("ab c", 10);
};

TEST_F(GateMapTest, IsWhatThePlainModelsGatesChoose) {
  const ModelConfig& config = checkpoint_.info.config;
  const std::vector<int32_t> target = {3, 2};
  const GateMap map = gate_map(*engine(), *checkpoint_.info.tokenizer, source_, target, 1, "mnli");
  EXPECT_EQ(map.task, "mnli");
  EXPECT_EQ(map.num_experts, 3);
  ASSERT_EQ(map.stacks.size(), 2u);
  EXPECT_EQ(map.stacks[0].name, "encoder");
  EXPECT_EQ(map.stacks[1].name, "decoder");
  EXPECT_EQ(map.stacks[0].tokens, (std::vector<std::string>{"[CLS]", "a", "##b", "c", "[SEP]"}));
  EXPECT_EQ(map.stacks[1].tokens, (std::vector<std::string>{"[SEP]", "[CLS]"}));
  const TensorReader read = checkpoint_.reader();
  const TaskRoute route = dense_route(config, 1);
  std::vector<std::vector<PlainChoice>> encoder, decoder;
  const PlainRows memory = plain_stack(config, read, "encoder.", source_, nullptr, route, &encoder);
  plain_stack(config, read, "decoder.", target, &memory, route, &decoder);
  for (const size_t stack : {0u, 1u}) {
    const auto& expected = stack == 0 ? encoder : decoder;
    ASSERT_EQ(map.stacks[stack].experts.size(), 2u);
    for (size_t l = 0; l < 2; ++l) {
      ASSERT_EQ(map.stacks[stack].experts[l].size(), expected[l].size());
      for (size_t t = 0; t < expected[l].size(); ++t) {
        EXPECT_EQ(map.stacks[stack].experts[l][t], static_cast<int64_t>(expected[l][t].expert));
        EXPECT_NEAR(map.stacks[stack].probabilities[l][t], expected[l][t].probability, 1e-4);
      }
    }
  }
}

TEST_F(GateMapTest, AnotherTasksGatesChooseOtherwiseAndNothingIsLoggedAfterwards) {
  const auto engine = this->engine();
  const auto& tokenizer = *checkpoint_.info.tokenizer;
  const GateMap first = gate_map(*engine, tokenizer, source_, {}, 1, "mnli");
  const GateMap other = gate_map(*engine, tokenizer, source_, {}, 0, "sst2");
  ASSERT_EQ(first.stacks.size(), 1u) << "no decoder without its input";
  EXPECT_NE(other.stacks[0].experts, first.stacks[0].experts);
  EXPECT_EQ(gate_map(*engine, tokenizer, source_, {}, 1, "mnli").stacks[0].experts,
            first.stacks[0].experts);
}

TEST_F(GateMapTest, OfAModelWithoutTokenGatesIsABug) {
  for (const TinyModel kind : {TinyModel::kDense, TinyModel::kOneHot}) {
    const TinyCheckpoint other = tiny_checkpoint(kind);
    const auto engine = make_engine(other.info.config, {}, other.reader());
    EXPECT_THROW(gate_map(*engine, *other.info.tokenizer, {2, 3}, {}, 0, "x"), std::logic_error);
  }
}

// An engine that does not say what gates choose.
class SilentEngine : public Engine {
 public:
  explicit SilentEngine(std::shared_ptr<Engine> engine) : engine_(std::move(engine)) {}
  const ModelConfig& config() const override { return engine_->config(); }
  std::unique_ptr<StepDecoder> start(const std::vector<std::vector<int32_t>>& sources,
                                     const std::vector<const TaskRoute*>& routes, int64_t places,
                                     int64_t positions) override {
    return engine_->start(sources, routes, places, positions);
  }

 private:
  std::shared_ptr<Engine> engine_;
};

TEST_F(GateMapTest, AnEngineThatCannotTellIsAnError) {
  SilentEngine silent(engine());
  EXPECT_THAT(
      error_of([&] { gate_map(silent, *checkpoint_.info.tokenizer, source_, {}, 0, "sst2"); }),
      StartsWith("69: "));
}

}  // namespace
}  // namespace trivium
