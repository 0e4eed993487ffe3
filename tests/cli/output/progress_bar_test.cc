#include "cli/output/progress_bar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

namespace trivium::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::string kClear = "\r\x1b[K";

class ProgressBarTest : public ::testing::Test {
 protected:
  ProgressPlace place(bool is_terminal, size_t width = 80) {
    return {is_terminal, width, [this](std::string_view text) { drawn_.emplace_back(text); },
            [this](const std::string& line) { logged_.push_back(line); }};
  }

  std::vector<std::string> drawn_, logged_;
};

TEST_F(ProgressBarTest, RedrawsItsLineOnATerminal) {
  {
    ProgressBar bar(4, place(true));
    bar.begin(0, "one");
    bar.report(2, "two\x1b");
    bar.clear();
    bar.clear();
    bar.report(4, "done");
  }
  EXPECT_THAT(drawn_, ElementsAre(kClear + "[                        ] 0/4 one",
                                  kClear + "[============            ] 2/4 two\uFFFD", kClear,
                                  kClear + "[========================] 4/4 done", kClear));
  EXPECT_THAT(logged_, IsEmpty());
}

TEST_F(ProgressBarTest, StaysWhereItIsKept) {
  {
    ProgressBar bar(1, place(true));
    bar.report(1, "done");
    bar.keep();
  }
  EXPECT_THAT(drawn_, ElementsAre(kClear + "[========================] 1/1 done", "\n"));
}

TEST_F(ProgressBarTest, NeverFillsTheLastColumn) {
  ProgressBar bar(1, place(true, 34));
  bar.begin(0, "東京都");
  EXPECT_THAT(drawn_, ElementsAre(kClear + "[                        ] 0/1 東"));
}

TEST_F(ProgressBarTest, WritesLinesElsewhere) {
  {
    ProgressBar bar(2, place(false));
    bar.begin(0, "one");
    bar.report(1, "one: 0.5");
    bar.keep();
    bar.clear();
  }
  EXPECT_THAT(drawn_, IsEmpty());
  EXPECT_THAT(logged_, ElementsAre("1/2 one: 0.5"));
}

TEST_F(ProgressBarTest, HasAStepAtLeast) {
  EXPECT_THROW(ProgressBar(0, place(false)), std::logic_error);
}

}  // namespace
}  // namespace trivium::cli
