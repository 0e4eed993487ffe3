// Lines that nobody who means well writes, through generate and score.

#include "cli/hostile_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "cli/commands/program.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "core/base/text.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium::cli {
namespace {

// What a terminal would act on.
bool is_plain(const std::string& text) {
  return is_valid_utf8(text) &&
         std::all_of(
             text.begin(), text.end(),
             [](unsigned char c) { return c == '\n' || c == '\t' || (c >= ' ' && c != 0x7f); }) &&
         text.find("\u009b") == std::string::npos;
}

const std::vector<std::string> kShort = {"--max-length", "2", "--num-beams", "1"};

class HostileLinesTest : public ::testing::Test {
 protected:
  HostileLinesTest() { save_checkpoint(tiny_checkpoint(), folder_.path() / "model"); }

  // `count` lines, of which the first is good, through `command`.
  void expect_a_line_for_each(const std::string& command, const std::string& format, int count,
                              const std::vector<std::string>& more) {
    const std::string good =
        R"({"id":7,"task":"sst2","input":{"text":"a film"},"options":["good","bad"]})";
    HostileLines lines(3);
    std::string input = good + "\n";
    for (int i = 1; i < count; ++i) input += lines.next(good) + "\n";
    const std::string file = folder_.write("lines", input), model = folder_.path() / "model";
    std::vector<std::string> arguments = {command, "--checkpoint", model, "--input",
                                          file,    "--format",     format};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.code, format == "jsonl" ? 65 : 0) << outcome.err.substr(0, 2000);
    const std::vector<Json> results = json_lines(outcome.out);
    ASSERT_EQ(results.size(), static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) {
      ASSERT_EQ(results[static_cast<size_t>(i)].at("line"), i + 1);
    }
    EXPECT_TRUE(is_plain(outcome.err)) << outcome.err.substr(0, 2000);
    EXPECT_TRUE(is_valid_utf8(outcome.out));
    constexpr int64_t kMostMemory = 200 << 10;  // KiB, however many lines there are
    EXPECT_LT(outcome.most_memory, kMostMemory);
    RecordProperty("most_memory_kib", std::to_string(outcome.most_memory));
    std::printf("%s %s: %d lines, at most %lld KiB\n", command.c_str(), format.c_str(), count,
                static_cast<long long>(outcome.most_memory));
  }

  TemporaryFolder folder_;
};

TEST_F(HostileLinesTest, GenerateAnswersEachOfJsonl) {
  expect_a_line_for_each("generate", "jsonl", hostile_count(), kShort);
}

TEST_F(HostileLinesTest, GenerateAnswersEachOfText) {
  expect_a_line_for_each("generate", "text", hostile_count() / 3, kShort);
}

TEST_F(HostileLinesTest, ScoreAnswersEachOfJsonl) {
  expect_a_line_for_each("score", "jsonl", hostile_count(), {});
}

TEST_F(HostileLinesTest, MessagesDoNotDriveTheTerminal) {
  const std::string model = folder_.path() / "model";
  const std::string line = "{\"input\": \"a\", \"task\": \"\\u001b[31mred\\u009b\"}\n";
  // As a warning of the log, and as the error that the program ends with.
  for (const char* flag : {"--quiet", "--strict"}) {
    const Outcome outcome =
        run_program({"generate", "--checkpoint", model, "--format", "jsonl", flag}, line);
    EXPECT_EQ(outcome.code, 65);
    EXPECT_THAT(outcome.err, ::testing::HasSubstr("no task \"\uFFFD[31mred\uFFFD\"")) << flag;
    EXPECT_TRUE(is_plain(outcome.err)) << flag;
  }
}

}  // namespace
}  // namespace trivium::cli
