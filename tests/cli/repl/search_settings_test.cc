#include "cli/repl/search_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "core/base/error.h"

namespace trivium::cli {
namespace {

using ::testing::HasSubstr;

TerminalStyle plain() { return {.width = 80, .utf8 = true, .colour = false}; }

std::string error_of(ExitCode code, const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code);
    return e.what();
  }
  return "no error";
}

std::string usage_error(const std::function<void()>& action) {
  return error_of(ExitCode::kUsage, action);
}

TEST(SearchSettingTest, ChangesOneAndChecksIt) {
  SearchOptions search;
  change_search(search, "max_length=12");
  change_search(search, "temperature=0.7");
  change_search(search, "seed=7");
  change_search(search, "sample=true");
  EXPECT_EQ(search.max_length, 12);
  EXPECT_EQ(search.temperature, 0.7);
  EXPECT_EQ(search.seed, 7u);
  EXPECT_TRUE(search.sample);
  const auto error = [&](const char* text) {
    return usage_error([&] { change_search(search, text); });
  };
  EXPECT_THAT(error("max_length=1"), HasSubstr("max_length is a whole number from 2 to 4096"));
  EXPECT_THAT(error("max_length=4.5"), HasSubstr("whole number"));
  EXPECT_THAT(error("top_p=nan"), HasSubstr("top_p is a number"));
  EXPECT_THAT(error("top_p=0.5x"), HasSubstr("top_p is a number"));
  EXPECT_THAT(error("sample=yes"), HasSubstr("true or false"));
  EXPECT_THAT(error("num_beam=2"), HasSubstr("did you mean num_beams"));
  EXPECT_THAT(error("num_beams"), HasSubstr("write KEY=VALUE"));
  EXPECT_EQ(search.max_length, 12);
  EXPECT_THAT(search_text(search, plain()), HasSubstr("max_length=12"));
}

TEST(SearchSettingTest, SamplingAndBeamsExcludeEachOther) {
  SearchOptions search;
  change_search(search, "sample=true");
  change_search(search, "num_beams=4");
  EXPECT_FALSE(search.sample);
  change_search(search, "sample=true");
  EXPECT_EQ(search.num_beams, 1);
}

TEST(SearchSettingTest, GoesToJsonAndBack) {
  SearchOptions search;
  for (const char* change : {"max_length=12", "sample=true", "top_p=0.25", "seed=123456789"}) {
    change_search(search, change);
  }
  const SearchOptions back = search_from_json({}, search_to_json(search), "f:1");
  EXPECT_EQ(search_text(back, plain()), search_text(search, plain()));
  EXPECT_EQ(back.seed, 123456789u);
  const auto error = [&](const char* json) {
    return error_of(ExitCode::kBadData, [&] { search_from_json({}, Json::parse(json), "f:1"); });
  };
  EXPECT_THAT(error(R"({"num_beam": 2})"), HasSubstr("f:1: unknown setting num_beam"));
  EXPECT_THAT(error(R"({"num_beams": "2"})"), HasSubstr("f:1: num_beams is a number"));
  EXPECT_THAT(error(R"({"num_beams": 2.5})"), HasSubstr("whole number"));
  EXPECT_THAT(error(R"({"sample": 1})"), HasSubstr("sample is true or false"));
  EXPECT_THAT(error(R"({"sample": true, "num_beams": 4})"), HasSubstr("num_beams=1 only"));
  EXPECT_THAT(error("[1]"), HasSubstr("f:1: settings are an object"));
}

}  // namespace
}  // namespace trivium::cli
