#include "cli/repl/slash_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trivium::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TerminalStyle plain(size_t width = 80) { return {.width = width, .utf8 = true, .colour = false}; }

std::string usage_error(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kUsage);
    return e.what();
  }
  return "no error";
}

TEST(ReplLineTest, TellsPromptsFromCommands) {
  EXPECT_EQ(parse_repl_line("  a film \r").prompt, "a film");
  EXPECT_EQ(parse_repl_line("//etc/passwd").prompt, "/etc/passwd");
  EXPECT_EQ(parse_repl_line("a /task").prompt, "a /task");
  const ReplLine line = parse_repl_line("/pin  enc.1=2\tdec.1=3 ");
  EXPECT_EQ(line.command, ReplCommand::kPin);
  EXPECT_THAT(line.arguments, ElementsAre("enc.1=2", "dec.1=3"));
  EXPECT_EQ(line.rest, "enc.1=2\tdec.1=3");
  EXPECT_EQ(line.prompt, "");
  for (const char* empty : {"", "   ", "\t\r"}) {
    EXPECT_EQ(parse_repl_line(empty).prompt, "");
    EXPECT_EQ(parse_repl_line(empty).command, std::nullopt);
  }
  EXPECT_EQ(parse_repl_line("a\xFFz").prompt, "a\xEF\xBF\xBDz");
}

TEST(ReplLineTest, SuggestsTheCommandThatWasMeant) {
  EXPECT_THAT(usage_error([] { parse_repl_line("/rute full"); }), HasSubstr("did you mean /route"));
  EXPECT_THAT(usage_error([] { parse_repl_line("/zzzzzzzz"); }), HasSubstr("/help lists them"));
  EXPECT_THAT(usage_error([] { parse_repl_line("/"); }), HasSubstr("unknown command /"));
  EXPECT_THAT(usage_error([] { parse_repl_line("/\x1b[2J"); }), Not(HasSubstr("\x1b")));
}

TEST(ReplLineTest, HelpNamesEveryCommandAndFits) {
  const std::string help = help_text("", TaskRoute{}, plain());
  for (const SlashCommand& command : slash_commands()) {
    EXPECT_THAT(help, HasSubstr(command.name));
    EXPECT_THAT(help_text(command.name, TaskRoute{}, plain()), HasSubstr(command.name));
  }
  EXPECT_EQ(help_text("pin", TaskRoute{}, plain()), help_text("/pin", TaskRoute{}, plain()));
  for (size_t width : {40, 60, 80, 200}) {
    for (const std::string& line : split(help_text("", TaskRoute{}, plain(width)), '\n')) {
      EXPECT_LE(display_width(line), width) << line;
    }
  }
  EXPECT_THAT(usage_error([] { help_text("/pim", TaskRoute{}, plain()); }),
              HasSubstr("did you mean /pin"));
}

class PinTest : public ::testing::Test {
 protected:
  std::string error_of(const std::string& text) {
    return usage_error([&] { parse_pin(text, shape_); });
  }
  const TaskRoute shape_ = {{{1}, {1, 0, 0}}, {{1, 0, 0}, {1, 0, 0}, {1, 0, 0}}};
};

TEST_F(PinTest, ReadsLongAndShortForms) {
  for (const char* text : {"encoder.2=3", "enc.2=3", "e.2=3", "e2=3"}) {
    const Pin pin = parse_pin(text, shape_);
    EXPECT_EQ(pin.place, (LayerPlace{false, 1})) << text;
    EXPECT_EQ(pin.expert, 2u) << text;
  }
  const Pin pin = parse_pin("dec.3=1", shape_);
  EXPECT_EQ(pin.place, (LayerPlace{true, 2}));
  EXPECT_EQ(pin.expert, 0u);
}

TEST_F(PinTest, SaysWhatTheModelHas) {
  EXPECT_THAT(error_of("enc.3=1"), HasSubstr("the encoder has the layers 1 to 2"));
  EXPECT_THAT(error_of("dec.0=1"), HasSubstr("the decoder has the layers 1 to 3"));
  EXPECT_THAT(error_of("enc.2=4"), HasSubstr("encoder 2 has the experts 1 to 3"));
  EXPECT_THAT(error_of("enc.2=0"), HasSubstr("encoder 2 has the experts 1 to 3"));
  EXPECT_THAT(error_of("enc.1=1"), HasSubstr("encoder 1 is an ordinary layer"));
  for (const char* text : {"", "enc", "enc.2", "enc.2=", "enc.-1=1", "enc.2=1x", "mid.2=1",
                           "enc.99999999999999999999=1", "=", "enc.2=3 "}) {
    EXPECT_THAT(error_of(text), HasSubstr("is no pin; write enc.3=2")) << text;
  }
  EXPECT_THAT(error_of(std::string(100000, 'e')), HasSubstr("is no pin"));
}

}  // namespace
}  // namespace trivium::cli
