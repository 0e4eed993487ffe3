#include "learning/adaptation/gate_reuse.h"

#include <gtest/gtest.h>

#include "core/base/error.h"

namespace trivium::learning {
namespace {

TEST(NearestVector, LeavesOutWhatAllHaveInCommon) {
  // Without the common part (100, 100) the third is the nearest; with it, all look alike.
  const torch::Tensor vectors = torch::tensor({{101.0, 100.0}, {99.0, 100.0}, {100.0, 102.0}});
  EXPECT_EQ(nearest_vector(vectors, torch::tensor({100.0, 101.5})), 2);
  EXPECT_EQ(nearest_vector(vectors, torch::tensor({95.0, 100.0})), 1);
}

class GateReuseTest : public testing::Test {
 protected:
  GateReuseTest() {
    ClassifierOptions options;
    options.token_experts.num_experts = 3;
    classifier_ =
        import_classifier(std::filesystem::path(TRIVIUM_TEST_DATA) / "tiny_bert",
                          {{"first", "", "accuracy", AnswerKind::kLabel, {"a", "b"}}}, options);
    for (const int64_t length : {4, 9, 6}) {
      LabelledExample example;
      example.ids.assign(static_cast<size_t>(length), 7);
      example.ids[0] = 2;
      example.second = length;
      examples_.push_back(example);
    }
  }
  ClassifierCheckpoint classifier_;
  std::vector<LabelledExample> examples_;
};

TEST_F(GateReuseTest, MeanStateIsOverTokensNotPads) {
  const torch::Tensor together = mean_state(classifier_, examples_);
  torch::Tensor sum = torch::zeros({32});
  for (const LabelledExample& example : examples_) {
    sum += mean_state(classifier_, {example}) * static_cast<double>(example.ids.size());
  }
  EXPECT_LT((together - sum / 19).abs().max().item<double>(), 1e-4);
}

TEST_F(GateReuseTest, SharesOfALayerAddUpToOne) {
  const auto use = expert_use(classifier_.model, examples_, 0);
  ASSERT_EQ(use.size(), 3u);
  for (const auto& layer : use) {
    ASSERT_EQ(layer.size(), 3u);
    EXPECT_NEAR(layer[0] + layer[1] + layer[2], 1, 1e-9);
  }
}

TEST(GateChoice, HasANameThatIsReadBack) {
  for (const char* name : {"own", "random", "nearest", "mnli"}) {
    EXPECT_EQ(name_of(gate_choice(name)), name);
  }
  EXPECT_EQ(gate_choice("random").start, GateStart::kNew);
  EXPECT_EQ(gate_choice("nearest").start, GateStart::kNearest);
  EXPECT_EQ(gate_choice("mnli").start, GateStart::kTask);
  EXPECT_EQ(gate_choice("mnli").task, "mnli");
}

class GateRowTest : public testing::Test {
 protected:
  const std::filesystem::path encoder_ = std::filesystem::path(TRIVIUM_TEST_DATA) / "tiny_bert";

  ClassifierCheckpoint classifier(TokenGates gates) const {
    ClassifierOptions options;
    options.token_experts.num_experts = 3;
    options.token_experts.gates = gates;
    return import_classifier(encoder_,
                             {{"first", "", "accuracy", AnswerKind::kLabel, {"a", "b"}},
                              {"second", "", "accuracy", AnswerKind::kLabel, {"a", "b"}}},
                             options);
  }
  // "new" has the texts of the second task.
  static std::vector<LabelledExample> texts(const std::string& task, const Tokenizer&) {
    LabelledExample example;
    example.ids =
        task == "first" ? std::vector<int32_t>{2, 7, 8, 3} : std::vector<int32_t>{2, 9, 3};
    example.second = static_cast<int64_t>(example.ids.size());
    return std::vector<LabelledExample>(100, example);
  }
  std::optional<int64_t> row(const ClassifierCheckpoint& model, const std::string& task,
                             const std::string& gates,
                             const std::filesystem::path& encoder = {}) const {
    return gate_row(model, task, gate_choice(gates), encoder, texts);
  }
};

TEST_F(GateRowTest, IsThatOfTheTaskThatIsChosen) {
  const ClassifierCheckpoint model = classifier(TokenGates::kPerTask);
  EXPECT_EQ(row(model, "second", "own"), 1);
  EXPECT_EQ(row(model, "second", "first"), 0);
  EXPECT_FALSE(row(model, "new", "random").has_value());
  EXPECT_THROW(row(model, "new", "own"), Error);
  EXPECT_THROW(row(model, "new", "third"), Error);
  // One gate for all tasks has no rows to choose from.
  EXPECT_FALSE(row(classifier(TokenGates::kShared), "second", "first").has_value());
}

TEST_F(GateRowTest, TheNearestIsFoundByTheEncoderThatNoGateHasTouched) {
  ClassifierCheckpoint model = classifier(TokenGates::kPerTask);
  EXPECT_EQ(row(model, "new", "nearest", encoder_), 1);
  EXPECT_EQ(row(model, "first", "nearest"), 0);  // to itself, without an encoder
  try {
    row(model, "new", "nearest");
    ADD_FAILURE() << "needs no encoder";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
  }
  // Whatever the classifier's own weights have become.
  torch::NoGradGuard no_grad;
  for (torch::Tensor& weight : model.model->parameters()) weight.zero_();
  EXPECT_EQ(row(model, "new", "nearest", encoder_), 1);
}

}  // namespace
}  // namespace trivium::learning
