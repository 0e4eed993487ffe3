#include "learning/model/batch.h"

#include <gtest/gtest.h>

namespace trivium::learning {
namespace {

TEST(CollateTest, ShiftsTargetsAndPads) {
  const Batch batch = collate({{7, {0, 5, 6, 2}, {0, 9, 2}}, {3, {0, 2}, {0, 8, 8, 8, 2}}},
                              /*pad_id=*/1, /*start_id=*/2);
  const auto ids = [](std::vector<int64_t> values, int64_t columns) {
    return torch::tensor(values, torch::kInt64).view({-1, columns});
  };
  EXPECT_EQ(batch.size(), 2);
  EXPECT_TRUE(torch::equal(batch.source.ids, ids({0, 5, 6, 2, 0, 2, 1, 1}, 4)));
  EXPECT_TRUE(torch::equal(batch.source.mask, ids({1, 1, 1, 1, 1, 1, 0, 0}, 4).to(torch::kBool)));
  EXPECT_TRUE(torch::equal(batch.labels, ids({0, 9, 2, 1, 1, 0, 8, 8, 8, 2}, 5)));
  EXPECT_TRUE(
      torch::equal(batch.label_mask, ids({1, 1, 1, 0, 0, 1, 1, 1, 1, 1}, 5).to(torch::kBool)));
  EXPECT_TRUE(torch::equal(batch.decoder_input, ids({2, 0, 9, 1, 1, 2, 0, 8, 8, 8}, 5)));
  EXPECT_TRUE(torch::equal(batch.task_ids, torch::tensor({7, 3}, torch::kInt64)));
  EXPECT_THROW(collate({}, 1, 2), std::logic_error);
}

}  // namespace
}  // namespace trivium::learning
