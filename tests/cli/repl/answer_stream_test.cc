#include "cli/repl/answer_stream.h"

#include <gtest/gtest.h>

#include <sstream>

namespace trivium::cli {
namespace {

constexpr const char* kReplacement = "\xEF\xBF\xBD";

TerminalStyle plain() { return {.width = 80, .utf8 = true, .colour = false}; }

TEST(AnswerStreamTest, PrintsEachPartOnce) {
  const TerminalStyle style = plain();
  std::ostringstream out;
  AnswerStream stream(out, style);
  stream.update("i");
  EXPECT_EQ(out.str(), "");
  stream.update("i do");
  EXPECT_EQ(out.str(), "i");
  stream.update("i do n");
  EXPECT_EQ(out.str(), "i do");
  stream.update("i don't");  // the clean-up took the space back
  stream.finish("i don't\x1b");
  EXPECT_EQ(out.str(), std::string("i don't") + kReplacement + "\n");
}

TEST(AnswerStreamTest, StartsAgainWhereTheAnswerChangedItsBeginning) {
  const TerminalStyle style = plain();
  std::ostringstream out;
  AnswerStream stream(out, style);
  stream.update("a b c");
  stream.finish("x y");
  EXPECT_EQ(out.str(), "a b\nx y\n");
}

}  // namespace
}  // namespace trivium::cli
