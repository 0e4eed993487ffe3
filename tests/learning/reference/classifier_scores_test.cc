#include "learning/reference/classifier_scores.h"

#include <gtest/gtest.h>

#include "learning/model/random_model.h"

namespace trivium::learning {
namespace {

LabelledExample example_of(int64_t label, int64_t group = 0, double value = 0) {
  LabelledExample example;
  example.label = label;
  example.group = group;
  example.value = value;
  return example;
}

TEST(ClassifierAnswers, AreTheLabelOfTheLargestOutput) {
  const LabelledTaskInfo task{"x", "", "accuracy", AnswerKind::kLabel, {"a", "b", "c"}};
  const auto answers =
      classifier_answers(task, {example_of(0), example_of(2)}, {{0.1f, 0.3f, 0.2f}, {-3, -2, -1}});
  EXPECT_EQ(answers[0].prediction, "b");
  EXPECT_EQ(answers[0].golds[0], "a");
  EXPECT_EQ(answers[1].prediction, "c");
}

TEST(ClassifierAnswers, NumbersAreText) {
  const LabelledTaskInfo task{"x", "", "spearman", AnswerKind::kNumber, {}};
  const auto answers = classifier_answers(task, {example_of(0, 0, 4.2)}, {{-1.25f}});
  EXPECT_EQ(answers[0].prediction, "-1.25");
  EXPECT_EQ(answers[0].golds[0], "4.2");
}

TEST(ClassifierAnswers, ARankingTakesTheChoiceThatIsMostRight) {
  const LabelledTaskInfo task{"x", "", "accuracy", AnswerKind::kChoice, {"choice1", "choice2"}};
  // Only the second output counts: 0.4 is above 0.3 though the first question's second choice looks
  // more wrong than right.
  const auto answers = classifier_answers(
      task, {example_of(1, 0), example_of(0, 0), example_of(0, 2), example_of(1, 2)},
      {{0, 0.3f}, {5, 0.4f}, {0, -1}, {0, -2}});
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].prediction, "choice2");
  EXPECT_EQ(answers[0].golds[0], "choice1");
  EXPECT_EQ(answers[1].prediction, "choice1");
  EXPECT_EQ(answers[1].golds[0], "choice2");
}

TEST(ClassifierOutputs, DoNotDependOnTheBatch) {
  ModelConfig config = small_config(1);
  config.decoder_layers = 0;
  config.token_experts.num_experts = 3;
  EncoderClassifier model(config, std::vector<HeadShape>{{"a", 2, false}, {"b", 3, false}});
  torch::manual_seed(2);
  for (torch::Tensor& parameter : model->parameters()) {
    torch::NoGradGuard no_grad;
    parameter.normal_(0, 0.3);
  }
  model->eval();
  std::vector<LabelledExample> examples;
  for (const auto& ids : random_ids({9, 3, 12, 5, 7}, 40)) {
    LabelledExample example;
    example.task = static_cast<int64_t>(examples.size()) % 2;
    example.ids = ids;
    example.second = 2;
    examples.push_back(example);
  }
  const auto together = classifier_outputs(model, examples, 1, /*bf16=*/false);
  for (size_t i = 0; i < examples.size(); ++i) {
    const auto alone = classifier_outputs(model, {examples[i]}, 1, /*bf16=*/false);
    ASSERT_EQ(together[i].size(), i % 2 == 0 ? 2u : 3u);
    for (size_t o = 0; o < alone[0].size(); ++o) EXPECT_NEAR(together[i][o], alone[0][o], 1e-5);
  }
}

}  // namespace
}  // namespace trivium::learning
