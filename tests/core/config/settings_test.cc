#include "core/config/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "core/base/error.h"

namespace trivium {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

enum class Colour { kRed, kGreen };

const EnumNames<Colour>& colour_names() {
  static const EnumNames<Colour> names = {{"red", Colour::kRed}, {"green", Colour::kGreen}};
  return names;
}

// One setting of each type.
struct SampleSettings : Settings {
  double rate = 0.1;
  int64_t count = 7;
  bool flag = true;
  std::string name = "some text";
  Colour colour = Colour::kRed;
  std::vector<int64_t> layers = {1, 2};
  std::vector<std::string> words = {"a", "b"};
  std::vector<double> weights = {0.5, 2};

  void visit(SettingsVisitor& v) override {
    v.number("part.rate", rate, 0, 1, "a number");
    v.integer("part.count", count, -5, 100, "an integer");
    v.flag("part.flag", flag, "a flag");
    v.text("other.name", name, {}, "any text");
    v.choice("other.colour", colour, colour_names(), "one of some");
    v.integers("other.layers", layers, "integers");
    v.texts("other.words", words, "texts");
    v.numbers("other.weights", weights, "numbers");
  }
  bool operator==(const SampleSettings& o) const {
    return rate == o.rate && count == o.count && flag == o.flag && name == o.name &&
           colour == o.colour && layers == o.layers && words == o.words && weights == o.weights;
  }
};

class SettingsTest : public ::testing::Test {
 protected:
  SettingsTest() {
    const std::string test = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    file_ = std::filesystem::temp_directory_path() / ("trivium_settings_" + test + ".toml");
  }
  ~SettingsTest() override { std::filesystem::remove(file_); }

  SampleSettings load(const std::string& toml, const std::vector<std::string>& overrides = {}) {
    std::ofstream(file_, std::ios::binary) << toml;
    SampleSettings settings;
    load_settings(settings, file_, overrides);
    return settings;
  }

  // "code: message" of the Error; "" when there is none.
  std::string error_for(const std::string& toml, const std::vector<std::string>& overrides = {}) {
    try {
      load(toml, overrides);
    } catch (const Error& e) {
      return std::to_string(static_cast<int>(e.code())) + ": " + e.what();
    }
    return "";
  }

  std::filesystem::path file_;
};

TEST_F(SettingsTest, ReadsEveryType) {
  SampleSettings expected;
  EXPECT_EQ(load(""), expected);
  expected.rate = 1;
  expected.count = -5;
  expected.flag = false;
  expected.name = "x = \"y\"";
  expected.colour = Colour::kGreen;
  expected.layers = {};
  expected.words = {"c"};
  expected.weights = {1, 0.25};
  EXPECT_EQ(load("[part]\nrate = 1\ncount = -5\nflag = false\n"
                 "[other]\nname = 'x = \"y\"'\ncolour = \"green\"\nlayers = []\nwords = [\"c\"]\n"
                 "weights = [1, 0.25]\n"),
            expected);
  // Dotted and inline tables are the same keys.
  expected = {};
  expected.rate = 0.5;
  expected.layers = {3};
  EXPECT_EQ(load("part.rate = 5e-1\nother = { layers = [3] }\n"), expected);
}

TEST_F(SettingsTest, OverridesComeAfterTheFile) {
  const SampleSettings settings =
      load("[part]\nrate = 0.2\ncount = 1\n",
           {"part.rate=0.3", "part.flag=false", "other.name=runs/some folder", "other.colour=green",
            "other.layers=[4, 5]", "other.words=[\"x\"]", "part.rate=0.4"});
  EXPECT_EQ(settings.rate, 0.4);
  EXPECT_EQ(settings.count, 1);
  EXPECT_FALSE(settings.flag);
  EXPECT_EQ(settings.name, "runs/some folder");  // bare words are a string
  EXPECT_EQ(settings.colour, Colour::kGreen);
  EXPECT_EQ(settings.layers, (std::vector<int64_t>{4, 5}));
  EXPECT_EQ(settings.words, std::vector<std::string>{"x"});
  EXPECT_EQ(load("", {"other.name="}).name, "");
  EXPECT_EQ(load("", {"other.name=\"quo\\\"ted\""}).name, "quo\"ted");
  EXPECT_EQ(load("", {"other.name=a\"b\\c"}).name, "a\"b\\c");
}

TEST_F(SettingsTest, NamesUnknownKeysWithTheNearest) {
  EXPECT_THAT(error_for("[part]\nrate = 0.5\n\nconut = 3\n"),
              AllOf(StartsWith("64: " + file_.string() + ":4: "), HasSubstr("part.conut"),
                    HasSubstr("did you mean part.count?")));
  EXPECT_THAT(error_for("", {"part.rat=1"}),
              AllOf(StartsWith("64: --set part.rat=1: "), HasSubstr("did you mean part.rate?")));
  EXPECT_THAT(error_for("top = 1\n"), HasSubstr("unknown setting \"top\""));
  EXPECT_THAT(error_for("part = 1\n"), HasSubstr("unknown setting \"part\""));
  EXPECT_THAT(error_for("[part.rate]\nx = 1\n"), HasSubstr("unknown setting \"part.rate.x\""));
  EXPECT_THAT(error_for("[[part]]\nrate = 1\n"), HasSubstr("unknown setting \"part\""));
}

TEST_F(SettingsTest, ChecksRangesAndChoices) {
  EXPECT_THAT(error_for("[part]\nrate = 1.5\n"),
              AllOf(StartsWith("64: " + file_.string() + ":2: part.rate"),
                    HasSubstr("must be from 0 to 1")));
  EXPECT_THAT(error_for("[part]\nrate = nan\n"), HasSubstr("must be from 0 to 1"));
  EXPECT_THAT(error_for("[part]\nrate = -inf\n"), HasSubstr("must be from 0 to 1"));
  EXPECT_THAT(error_for("[part]\ncount = 101\n"), HasSubstr("must be from -5 to 100"));
  EXPECT_EQ(error_for("[part]\ncount = 100\nrate = 0\n"), "");
  EXPECT_THAT(error_for("[other]\ncolour = \"gren\"\n"),
              AllOf(HasSubstr("must be one of red, green"), HasSubstr("did you mean green")));
  EXPECT_THAT(error_for("", {"other.colour=blue"}),
              StartsWith("64: --set other.colour=blue: other.colour must be one of"));
}

TEST_F(SettingsTest, RefusesOtherTypes) {
  for (const char* line :
       {"part.rate = \"1\"",        "part.rate = true",        "part.rate = [1]",
        "part.count = 1.5",         "part.count = 1.0",        "part.count = true",
        "part.count = \"3\"",       "part.flag = 1",           "part.flag = \"true\"",
        "other.name = 5",           "other.name = true",       "other.layers = 3",
        "other.layers = [1.5]",     "other.layers = [true]",   "other.layers = [\"a\"]",
        "other.layers = [[1]]",     "other.words = \"a\"",     "other.words = [1]",
        "other.words = [\"a\", 1]", "part.count = 1979-05-27", "other.weights = [true]",
        "other.weights = 1"}) {
    EXPECT_THAT(error_for(line),
                AllOf(StartsWith("64: " + file_.string() + ":1: "), HasSubstr("must be")))
        << line;
  }
  EXPECT_THAT(error_for("", {"other.words=a"}), HasSubstr("must be a list of strings"));
}

TEST_F(SettingsTest, NamesWhereTheTomlIsMalformed) {
  EXPECT_THAT(error_for("[part]\nrate = = 1\n"), StartsWith("64: " + file_.string() + ":2: "));
  EXPECT_THAT(error_for("", {"rate"}), HasSubstr("write key=value"));
  EXPECT_THAT(error_for("", {"=1"}), HasSubstr("write key=value"));
  EXPECT_THAT(error_for("", {"a b=1"}), StartsWith("64: --set a b=1"));
  SampleSettings settings;
  try {
    load_settings(settings, "/nowhere/at-all.toml", {});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kMissingInput);
  }
}

TEST_F(SettingsTest, RoundTrips) {
  SampleSettings settings;
  EXPECT_EQ(load(settings_to_toml(settings)), settings);
  settings.rate = 1.0 / 3;
  settings.count = -5;
  settings.flag = false;
  settings.name = "line\nquote\" 'single' back\\slash \xc3\xa9 \t # [x]";
  settings.colour = Colour::kGreen;
  settings.layers = {-1, 0, INT64_MAX};
  settings.weights = {0.1 + 0.2, -1e300, 0};
  settings.words = {"", "'''", "\"\"\"", "two\nlines"};
  EXPECT_EQ(load(settings_to_toml(settings)), settings);
  for (double rate : {0.0, 1.0, 1e-8, 3e-4, 5e-324, 0.1 + 0.2}) {
    settings.rate = rate;
    EXPECT_EQ(load(settings_to_toml(settings)).rate, rate);
  }
}

TEST_F(SettingsTest, ReferenceHasALineForEverySetting) {
  SampleSettings settings;
  const std::string reference = settings_reference(settings);
  EXPECT_THAT(reference, StartsWith("| setting | default | range | meaning |\n| --- "));
  EXPECT_EQ(std::count(reference.begin(), reference.end(), '\n'), 2 + 8);
  EXPECT_THAT(reference, HasSubstr("| `part.rate` | `0.1` |"));  // not 0.10000000000000001
  EXPECT_THAT(reference, HasSubstr("| `part.count` | `7` | -5 … 100 | an integer |\n"));
  EXPECT_THAT(reference, HasSubstr("| `other.colour` | `'red'` | red, green | one of some |\n"));
}

TEST_F(SettingsTest, EveryValueHasItsSource) {
  load("[part]\nrate = 0.5\n\ncount = 9\n[other]\nname = \"a # b\"\n");  // writes the file
  SampleSettings settings;
  const std::vector<ResolvedSetting> resolved = resolve_settings(
      settings, file_, {"part.count=11", "other.words=[\"x\\ny\", \"z\"]", "other.colour=green"});
  std::map<std::string, std::string> sources;
  std::map<std::string, Json> values;
  for (const ResolvedSetting& setting : resolved) {
    sources[setting.key] = setting.source;
    values[setting.key] = setting.value;
  }
  EXPECT_EQ(resolved.size(), 8u);
  EXPECT_EQ(sources["part.rate"], file_.string() + ":2");
  EXPECT_EQ(values["part.rate"], 0.5);
  EXPECT_EQ(sources["part.count"], "--set part.count=11");
  EXPECT_EQ(values["part.count"], 11);
  EXPECT_EQ(sources["other.name"], file_.string() + ":6");
  EXPECT_EQ(values["other.name"], "a # b");
  EXPECT_EQ(values["other.colour"], "green");
  EXPECT_EQ(values["other.words"], (Json{"x\ny", "z"}));
  EXPECT_EQ(sources["part.flag"], "default");
  EXPECT_EQ(values["part.flag"], true);
  EXPECT_EQ(values["other.weights"], (Json{0.5, 2.0}));
  const std::string toml = to_toml(resolved);
  EXPECT_THAT(toml, HasSubstr("rate = 0.5  # " + file_.string() + ":2\n"));
  EXPECT_TRUE(load(toml) == settings) << toml;
}

// A source is what a user typed, which may hold what ends a comment.
TEST_F(SettingsTest, ASourceOfSeveralLinesStaysAComment) {
  load("");
  SampleSettings settings;
  const auto resolved =
      resolve_settings(settings, file_, {"other.name=\"\"\"a\npart.count = 3\"\"\""});
  EXPECT_EQ(settings.name, "a\npart.count = 3");
  EXPECT_TRUE(load(to_toml(resolved)) == settings) << to_toml(resolved);
}

}  // namespace
}  // namespace trivium
