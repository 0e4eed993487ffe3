#include "learning/adaptation/gate_reuse.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace trivium::learning
