#include "core/base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/temporary_folder.h"

namespace trivium {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(JsonTest, RefusesWhatIsMalformedAndSaysWhere) {
  for (const std::string text : {"{", "[1,]", "\"\xff\"", "nul", "", "{\"a\":1}x"}) {
    const std::string error = error_of([&] { parse_json(text, "train.jsonl:7"); });
    EXPECT_THAT(error, StartsWith("65")) << text;
    EXPECT_THAT(error, HasSubstr("train.jsonl:7")) << text;
  }
  EXPECT_THAT(error_of([&] { parse_json("{", "f", ExitCode::kBadModel); }), StartsWith("76"));
}

TEST(JsonTest, DeepNestingIsAnErrorAndNotAStackOverflow) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_EQ(error_of([&] { parse_json(nested(60), "f"); }), "");
  EXPECT_THAT(error_of([&] { parse_json(nested(100000), "f"); }), StartsWith("65"));
}

TEST(JsonTest, MembersAreTyped) {
  const Json json = parse_json(R"({"n": 3, "s": "x", "nothing": null})", "f");
  EXPECT_EQ(json_get<int>(json, "n", "f"), 3);
  EXPECT_EQ(json_get_or<int>(json, "nothing", "f", 5), 5);
  EXPECT_EQ(json_get_or<int>(json, "absent", "f", 6), 6);
  EXPECT_EQ(error_of([&] { json_get<int>(json, "s", "file:3"); }),
            "65: file:3: key \"s\" has the wrong type");
  EXPECT_EQ(error_of([&] { json_get<int>(json, "absent", "f"); }),
            "65: f: key \"absent\" is missing");
  EXPECT_EQ(error_of([&] { json_get_or<int>(json, "s", "f", 1); }),
            "65: f: key \"s\" has the wrong type");
}

TEST(JsonTest, ALineNeverThrowsForInvalidUtf8) {
  EXPECT_EQ(to_json_line({{"a", "x\xff"}}), "{\"a\":\"x\xEF\xBF\xBD\"}");
}

}  // namespace
}  // namespace trivium
