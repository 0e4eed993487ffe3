#include "core/tokenizers/sentencepiece_charsmap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/temporary_folder.h"

namespace trivium {
namespace {

using ::testing::HasSubstr;

// A length-delimited field of a protocol-buffer message.
std::string field(int number, const std::string& bytes) {
  std::string result(1, static_cast<char>(number << 3 | 2));
  size_t size = bytes.size();
  for (; size > 127; size >>= 7) result += static_cast<char>(size | 0x80);
  return result + static_cast<char>(size) + bytes;
}

std::string little_endian(uint32_t value) {
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

// A ModelProto with a normalisation table of these units and replacements.
std::string model_of(const std::vector<uint32_t>& units, const std::string& replacements) {
  std::string charsmap = little_endian(static_cast<uint32_t>(units.size() * 4));
  for (const uint32_t unit : units) charsmap += little_endian(unit);
  return field(3, field(1, "name") + field(2, charsmap + replacements));
}

std::string error_for(const std::string& model) {
  return error_of([&] { check_charsmap(model, "m"); });
}

constexpr uint32_t kHasValue = 1 << 8, kScaled = 1 << 9, kIsValue = 1u << 31;

// The children of the root lie at 256; 'a' there has its value at 512 and children around it.
std::vector<uint32_t> sound_units() {
  std::vector<uint32_t> units(768);
  units[0] = 1 << 10 | kScaled;  // offset 256
  units[256 + 'a'] = ((256 + 'a') ^ 512) << 10 | kHasValue | 'a';
  units[512] = kIsValue | 3;
  return units;
}

TEST(SentencepieceCharsmap, AcceptsSoundTables) {
  EXPECT_EQ(error_for(model_of(sound_units(), std::string("abc\0", 4))), "");
  EXPECT_EQ(error_for(""), "");
  EXPECT_EQ(error_for(field(1, "piece") + field(3, "")), "");
  EXPECT_EQ(error_for(field(3, field(2, ""))), "");
}

TEST(SentencepieceCharsmap, RejectsStepsOutOfTheTable) {
  std::vector<uint32_t> units = sound_units();
  units[0] = 3 << 10 | kScaled;
  EXPECT_THAT(error_for(model_of(units, std::string("abc\0", 4))), HasSubstr("is damaged"));
  units = sound_units();
  units[300] = 0x1FFFFF << 10;
  EXPECT_THAT(error_for(model_of(units, std::string("abc\0", 4))), HasSubstr("is damaged"));
  units.resize(100);
  EXPECT_THAT(error_for(model_of(units, std::string("abc\0", 4))), HasSubstr("is damaged"));
  EXPECT_THAT(error_for(model_of({}, std::string("abc\0", 4))), HasSubstr("is damaged"));
}

TEST(SentencepieceCharsmap, RejectsReplacementsOutOfTheTable) {
  EXPECT_THAT(error_for(model_of(sound_units(), std::string("ab\0", 3))), HasSubstr("is damaged"));
  EXPECT_THAT(error_for(model_of(sound_units(), "abcd")), HasSubstr("is damaged"));
  EXPECT_THAT(error_for(model_of(sound_units(), "")), HasSubstr("is damaged"));
  EXPECT_THAT(error_for(field(5, field(2, "abc"))), HasSubstr("is damaged"));
  EXPECT_THAT(error_for(field(3, field(2, std::string("\xFF\xFF\xFF\xFF\0", 5)))),
              HasSubstr("is damaged"));
}

TEST(SentencepieceCharsmap, RejectsWhatIsNoMessage) {
  for (const std::string bytes : {"\x1A",
                                  "\x1A\x05"
                                  "ab",
                                  "\x1B", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
                                  "\x09"
                                  "abc",
                                  "\x0D"
                                  "a",
                                  "\x08"}) {
    EXPECT_EQ(error_for(bytes), "76: m: not a sentencepiece model");
  }
}

}  // namespace
}  // namespace trivium
