#include <gtest/gtest.h>

#include "learning/reference/classifier_gates.h"
#include "learning/reference/tensor_reader.h"
#include "learning/storage/tiny_checkpoint.h"

namespace trivium::learning {
namespace {

Checkpoint gated_checkpoint() {
  Checkpoint checkpoint = tiny_checkpoint(1);
  ModelConfig config = checkpoint.config();
  config.token_experts.num_experts = 3;
  checkpoint.model = Seq2SeqModel(config, 3);
  checkpoint.model->init_weights(7);
  torch::NoGradGuard no_grad;
  for (TokenGate& gate : checkpoint.model->token_gates()) gate->parameters()[0].normal_(0, 1);
  checkpoint.model->eval();
  return checkpoint;
}

TEST(GateMap, IsWhatTheGatesChoose) {
  Checkpoint checkpoint = gated_checkpoint();
  const std::vector<int32_t> source = checkpoint.tokenizer->encode_with_special("ab c", 10);
  const GateMap map = gate_map(checkpoint.model, *checkpoint.tokenizer, source, {3, 2}, 1, "mnli");
  EXPECT_EQ(map.task, "mnli");
  EXPECT_EQ(map.num_experts, 3);
  ASSERT_EQ(map.stacks.size(), 2u);
  EXPECT_EQ(map.stacks[0].tokens, (std::vector<std::string>{"[CLS]", "a", "##b", "c", "[SEP]"}));
  EXPECT_EQ(map.stacks[1].tokens, (std::vector<std::string>{"[SEP]", "[CLS]"}));
  ASSERT_EQ(map.stacks[0].experts.size(), 2u);
  ASSERT_EQ(map.stacks[1].experts.size(), 2u);
  for (const GateMapStack& stack : map.stacks) {
    for (size_t l = 0; l < stack.experts.size(); ++l) {
      ASSERT_EQ(stack.experts[l].size(), stack.tokens.size());
      for (size_t t = 0; t < stack.tokens.size(); ++t) {
        EXPECT_GE(stack.experts[l][t], 0);
        EXPECT_LT(stack.experts[l][t], 3);
        EXPECT_GE(stack.probabilities[l][t], 1.0f / 3);  // the largest of three
      }
    }
  }
  // Another task's gates choose otherwise, and nothing is recorded afterwards.
  const GateMap other = gate_map(checkpoint.model, *checkpoint.tokenizer, source, {}, 0, "sst2");
  EXPECT_EQ(other.stacks.size(), 1u);
  EXPECT_NE(other.stacks[0].experts, map.stacks[0].experts);
}

TEST(GateMap, TheEngineSaysTheSame) {
  Checkpoint checkpoint = gated_checkpoint();
  const std::vector<int32_t> source = checkpoint.tokenizer->encode_with_special("ab c", 10);
  const auto engine = make_engine(checkpoint.config(), {}, reader_of(checkpoint.model));
  for (int64_t task = 0; task < 3; ++task) {
    const GateMap reference =
        gate_map(checkpoint.model, *checkpoint.tokenizer, source, {3, 2, 5}, task, "x");
    const GateMap map =
        trivium::gate_map(*engine, *checkpoint.tokenizer, source, {3, 2, 5}, task, "x");
    ASSERT_EQ(map.stacks.size(), 2u);
    for (size_t s = 0; s < 2; ++s) {
      EXPECT_EQ(map.stacks[s].tokens, reference.stacks[s].tokens);
      EXPECT_EQ(map.stacks[s].experts, reference.stacks[s].experts);
      for (size_t l = 0; l < map.stacks[s].probabilities.size(); ++l) {
        for (size_t t = 0; t < map.stacks[s].probabilities[l].size(); ++t) {
          EXPECT_NEAR(map.stacks[s].probabilities[l][t], reference.stacks[s].probabilities[l][t],
                      1e-5);
        }
      }
    }
  }
}

TEST(GateMap, OfADenseModelIsABug) {
  Checkpoint dense = tiny_checkpoint(1);
  EXPECT_THROW(gate_map(dense.model, *dense.tokenizer, {2, 3}, {}, 0, "x"), std::logic_error);
}

TEST(GateMap, OfAClassifier) {
  ClassifierOptions options;
  options.token_experts.num_experts = 2;
  ClassifierCheckpoint classifier =
      import_classifier(std::filesystem::path(TRIVIUM_TEST_DATA) / "tiny_bert",
                        {{"first", "", "accuracy", AnswerKind::kLabel, {"a", "b"}}}, options);
  LabelledExample example;
  example.ids = {2, 7, 8, 3};
  example.second = 4;
  const GateMap map = gate_map(classifier, example);
  EXPECT_EQ(map.task, "first");
  ASSERT_EQ(map.stacks.size(), 1u);
  EXPECT_EQ(map.stacks[0].experts.size(), 3u);
  EXPECT_EQ(map.stacks[0].tokens.size(), 4u);
}

}  // namespace
}  // namespace trivium::learning
