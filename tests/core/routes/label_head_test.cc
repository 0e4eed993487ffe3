#include "core/routes/label_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/base/text.h"

namespace trivium {
namespace {

using ::testing::ElementsAre;

HostTensor tensor(std::vector<float> values, std::vector<int64_t> shape) {
  const auto keep = std::make_shared<std::vector<float>>(std::move(values));
  return {std::shared_ptr<const float>(keep, keep->data()), std::move(shape)};
}

TEST(LabelHeadTest, ReadsOneVector) {
  const LabelHead head{{"a", "b"}, 1, tensor({2, 0, 0, 1}, {2, 2}), tensor({0, 0.5f}, {2})};
  const std::vector<double> scores = label_log_probabilities(head, {{0.6f, 0.8f}});
  ASSERT_EQ(scores.size(), 2u);
  EXPECT_NEAR(scores[0] - scores[1], 1.2 - (0.8 + 0.5), 1e-6);
  EXPECT_NEAR(std::exp(scores[0]) + std::exp(scores[1]), 1, 1e-12);
}

// u, v, |u - v| and u * v, in this order.
TEST(LabelHeadTest, ReadsWhatTwoVectorsHaveInCommon) {
  const LabelHead head{
      {"a", "b"}, 2, tensor({1, 10, 100, 1000, 0, 0, 0, 0}, {2, 4}), tensor({0, 0}, {2})};
  const std::vector<double> scores = label_log_probabilities(head, {{0.5f}, {0.75f}});
  EXPECT_NEAR(scores[0] - scores[1], 0.5 + 7.5 + 25 + 375, 1e-9);
}

TEST(LabelHeadTest, PartsAPromptAtItsFirstMark) {
  const std::string mark(1, kFieldSeparator);
  EXPECT_THAT(head_texts("a b", 1), ElementsAre("a b"));
  EXPECT_THAT(head_texts("a" + mark + "b", 1), ElementsAre("a" + mark + "b"));
  EXPECT_THAT(head_texts("a" + mark + "b" + mark + "c", 2), ElementsAre("a", "b" + mark + "c"));
  EXPECT_THAT(head_texts("typed as it is", 2), ElementsAre("typed as it is", ""));
  EXPECT_THAT(head_texts("", 2), ElementsAre("", ""));
}

}  // namespace
}  // namespace trivium
