#include "core/base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/temporary_folder.h"
#include "core/base/timing.h"

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

TEST(JsonTest, RefusesWhatTwoReadersWouldReadDifferently) {
  EXPECT_EQ(error_of([&] { parse_json("{\"a\": 1, \"b\": {\"c\": 1, \"a\": 2, \"c\": 3}}", "f"); }),
            "65: f: the key \"c\" occurs twice");
  EXPECT_EQ(error_of([&] { parse_json(std::string("{}\0{", 4), "f"); }),
            "65: f: malformed JSON at byte 3");
  EXPECT_EQ(error_of([&] { parse_json("[1e999]", "f"); }), "65: f: malformed JSON at byte 6");
  EXPECT_THAT(error_of([&] { parse_json("\xFF\xFE{", "f", ExitCode::kBadModel); }),
              StartsWith("76: f: the text is UTF-16"));
}

TEST(JsonTest, KeepsTheOrderOfKeys) {
  const std::string text =
      R"({"z":1,"a":[true,null,{"b":-2,"a":1.5}],"":{"x":"\u00e9"},"m":18446744073709551615})";
  EXPECT_EQ(parse_json(text, "f").dump(), Json::parse(text).dump());
  EXPECT_EQ(parse_json(text, "f"), Json::parse(text));
}

// Each key was compared with all before it: a megabyte of them took minutes.
TEST(JsonTest, ManyKeysTakeNoLongerThanOtherText) {
  std::string text = "{\"a\":0";
  for (int i = 0; i < 200000; ++i) text += ",\"k" + std::to_string(i) + "\":0";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(parse_json(text + "}", "f").size(), 200001u);
  EXPECT_LT(seconds_since(start), 10);
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

// The library's own conversion reads 2^32 + 2 as an int of 2, 2.7 as 2 and true as 1.
TEST(JsonTest, NumbersAreNeitherWrappedNorRoundedNorMadeOfOtherTypes) {
  const Json json = parse_json(
      R"({"large": 4294967298, "most": 18446744073709551615, "below": -1, "half": 2.7,
          "yes": true, "list": [1, 4294967298], "good": [1, 2]})",
      "f");
  EXPECT_EQ(error_of([&] { json_get<int32_t>(json, "large", "f"); }),
            "65: f: key \"large\" must be a whole number from -2147483648 to 2147483647");
  EXPECT_EQ(json_get<int64_t>(json, "large", "f"), 4294967298);
  EXPECT_EQ(json_get<uint64_t>(json, "most", "f"), 18446744073709551615u);
  EXPECT_THAT(error_of([&] { json_get<int64_t>(json, "most", "f"); }), StartsWith("65"));
  EXPECT_THAT(error_of([&] { json_get<size_t>(json, "below", "f"); }), StartsWith("65"));
  EXPECT_THAT(error_of([&] { json_get<int32_t>(json, "half", "f"); }), StartsWith("65"));
  EXPECT_THAT(error_of([&] { json_get<int32_t>(json, "yes", "f"); }), StartsWith("65"));
  EXPECT_THAT(error_of([&] { json_get<double>(json, "yes", "f"); }), StartsWith("65"));
  EXPECT_DOUBLE_EQ(json_get<double>(json, "below", "f"), -1);
  EXPECT_THAT(error_of([&] { json_get<std::vector<int>>(json, "list", "f"); }), StartsWith("65"));
  EXPECT_EQ(json_get<std::vector<int>>(json, "good", "f"), (std::vector<int>{1, 2}));
  EXPECT_EQ(json_get<bool>(json, "yes", "f"), true);
  EXPECT_THAT(error_of([&] { json_get<bool>(json, "below", "f"); }), StartsWith("65"));
}

TEST(JsonTest, ALineNeverThrowsForInvalidUtf8) {
  EXPECT_EQ(to_json_line({{"a", "x\xff"}}), "{\"a\":\"x\xEF\xBF\xBD\"}");
}

}  // namespace
}  // namespace trivium
