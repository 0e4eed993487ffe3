#include "core/evaluation/task_choice.h"

#include <gtest/gtest.h>

namespace trivium {
namespace {

// Often enough that the finder's smoothing does not drown the words.
std::vector<std::string> often(const std::string& text) {
  return std::vector<std::string>(400, text);
}

TEST(TaskChoiceTest, TheMostVotesDecide) {
  const TaskFinder finder = TaskFinder::train(
      {{"films", often("a witty film")}, {"sums", often("how many apples are left")}});
  const TaskChoice choice =
      vote_for_task(finder, {"how many pens", "a witty film", "apples are left"});
  EXPECT_EQ(choice.task, "sums");
  EXPECT_EQ(choice.votes, 2u);
  EXPECT_EQ(choice.inputs, 3u);
}

TEST(TaskChoiceTest, AmongEqualsTheSurerDecides) {
  const TaskFinder finder = TaskFinder::train(
      {{"films", often("a witty film")}, {"sums", often("how many apples are left")}});
  EXPECT_EQ(vote_for_task(finder, {"how many apples are left", "a thing"}).task, "sums");
  EXPECT_EQ(vote_for_task(finder, {"how", "a witty film"}).task, "films");
}

}  // namespace
}  // namespace trivium
