#include "core/tokenizers/model_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/temporary_folder.h"

namespace trivium {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(ModelFile, NamesTheLineOfIllFormedText) {
  const TemporaryFolder folder;
  const auto path = folder.write("vocab.txt", "a\nb\nc\xFF\nd\n");
  EXPECT_THAT(error_of([&] { read_model_text(path); }), EndsWith("vocab.txt:3: not valid UTF-8"));
  EXPECT_THAT(error_of([&] { read_model_text(folder.path() / "none"); }), StartsWith("66: "));
}

TEST(ModelFile, RefusesHugeFiles) {
  const TemporaryFolder folder;
  const auto path = folder.write("vocab.txt", "a");
  std::filesystem::resize_file(path, (uintmax_t{64} << 20) + 1);  // sparse
  EXPECT_THAT(error_of([&] { read_model_text(path); }), HasSubstr("larger than 64 MiB"));
}

TEST(ModelFile, NamesTheLineOfMalformedJson) {
  const TemporaryFolder folder;
  const auto path = folder.write("vocab.json", "{\n\"a\": 1,\n}");
  EXPECT_THAT(error_of([&] { read_model_json(path); }),
              HasSubstr("vocab.json:3: malformed JSON at byte 11"));
}

TEST(ModelFile, RefusesNumbersThatAreNoneAndWhatStandsBehindANul) {
  const TemporaryFolder folder;
  auto path = folder.write("tokenizer.json", "{\"a\": 1e999}");
  EXPECT_THAT(error_of([&] { read_model_json(path); }),
              EndsWith("tokenizer.json: malformed JSON: a number is too large"));
  path = folder.write("tokenizer.json", std::string("{}\0{", 4));
  EXPECT_THAT(error_of([&] { read_model_json(path); }), EndsWith("malformed JSON at byte 3"));
}

TEST(ModelFile, RefusesDeepNesting) {
  const TemporaryFolder folder;
  const auto path = folder.write("vocab.json", std::string(100000, '['));
  EXPECT_THAT(error_of([&] { read_model_json(path); }), HasSubstr("deeper than 64"));
}

TEST(ModelFile, ReadsTheConfigOrNone) {
  const TemporaryFolder folder;
  EXPECT_TRUE(read_optional_object(folder.path() / "tokenizer_config.json").empty());
  folder.write("tokenizer_config.json", "[]");
  EXPECT_THAT(error_of([&] { read_optional_object(folder.path() / "tokenizer_config.json"); }),
              StartsWith("76: "));
}

TEST(ModelFile, SplitsLinesOfBothKinds) {
  EXPECT_THAT(split_lines("a\r\nb\n\nc"), ElementsAre("a", "b", "", "c"));
  EXPECT_THAT(split_lines("a\n"), ElementsAre("a"));
  EXPECT_THAT(split_lines(""), ElementsAre());
}

TEST(ModelFile, RequiresKeysAndValues) {
  const auto json = nlohmann::json::parse(R"({"a": 1, "b": null})");
  EXPECT_EQ(error_of([&] { require_keys(json, {"a", "b"}, "f"); }), "");
  EXPECT_EQ(error_of([&] { require_keys(json, {"a", "c"}, "f"); }), "76: f: \"c\" is missing");
  EXPECT_EQ(error_of([&] { require_value(json, "a", 1, "f"); }), "");
  EXPECT_EQ(error_of([&] { require_value(json, "b", 1, "f"); }), "");
  EXPECT_EQ(error_of([&] { require_value(json, "c", 1, "f"); }), "");
  EXPECT_EQ(error_of([&] { require_value(json, "a", 2, "f"); }),
            "76: f: a is not 2, which is unsupported");
  EXPECT_THAT(error_of([&] { require_value(json["a"], "x", 2, "f"); }), StartsWith("76: f: "));
}

}  // namespace
}  // namespace trivium
