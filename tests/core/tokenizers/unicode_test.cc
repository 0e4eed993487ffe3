#include "core/tokenizers/unicode.h"

#include <gtest/gtest.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <sstream>

#include "core/tokenizers/golden_corpus.h"

namespace trivium {
namespace {

constexpr CodePoint kEnd = 0x110000;

bool is_surrogate(CodePoint c) { return c >= 0xD800 && c <= 0xDFFF; }

std::string hex(CodePoint c) {
  std::ostringstream text;
  text << "U+" << std::hex << static_cast<uint32_t>(c);
  return text.str();
}

std::string utf8(std::u32string_view text) {
  std::string result;
  for (const CodePoint c : text) append_utf8(result, c);
  return result;
}

// Those that the library's BertPreTokenizer drops between words (tokenizers 0.22.2).
TEST(Unicode, WhiteSpace) {
  std::u32string spaces;
  for (CodePoint c = 0; c < kEnd; ++c) {
    if (char_class(c) & kSpace) spaces += c;
  }
  EXPECT_EQ(spaces,
            U"\t\n\v\f\r \x85\xA0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
            U"\u2009\u200A\u2028\u2029\u202F\u205F\u3000");
}

// Where the library's older or newer Unicode version cannot make a difference, ICU agrees.
TEST(Unicode, ClassesAgreeWithIcuOnCharactersOfUnicode5) {
  int compared = 0;
  for (CodePoint c = 0; c < kEnd; ++c) {
    UVersionInfo age;
    u_charAge(static_cast<UChar32>(c), age);
    if (is_surrogate(c) || age[0] == 0 || age[0] > 5) continue;
    ++compared;
    const uint8_t kind = char_class(c);
    const uint32_t mask = U_GET_GC_MASK(static_cast<UChar32>(c));
    ASSERT_EQ((kind & kLetter) != 0, (mask & U_GC_L_MASK) != 0) << hex(c);
    ASSERT_EQ((kind & kNumber) != 0, (mask & U_GC_N_MASK) != 0) << hex(c);
    if (kind & kDecomposed) continue;  // marks are stripped after decomposition
    // These changed their category after the version that the library's tables of BERT have.
    const bool old_mark = c == 0x1734, new_mark = c == 0x1885 || c == 0x1886 || c == 0xA9BD;
    const bool icu_mark = (mask & U_GC_MN_MASK) != 0;
    ASSERT_EQ((kind & kMark) != 0, (icu_mark && !new_mark) || old_mark) << hex(c);
    const bool was_punctuation = c == 0x166D;
    if (c >= 0x80) {
      ASSERT_EQ((kind & kPunctuation) != 0, (mask & U_GC_P_MASK) != 0 || was_punctuation) << hex(c);
    }
  }
  EXPECT_GT(compared, 200000);  // with private use and ideographs
}

TEST(Unicode, LowerCase) {
  EXPECT_EQ(to_lower('A'), U'a');
  EXPECT_EQ(to_lower('a'), U'a');
  EXPECT_EQ(to_lower(0xC9), CodePoint{0xE9});
  EXPECT_EQ(to_lower(0x1E9E), CodePoint{0xDF});
  EXPECT_EQ(to_lower(0x130), CodePoint{0x130});
  EXPECT_EQ(to_lower(0x10400), CodePoint{0x10428});
  EXPECT_EQ(to_lower(0x10FFFF), CodePoint{0x10FFFF});
  for (CodePoint c = 0; c < kEnd; ++c) {
    const auto icu_lower = static_cast<CodePoint>(u_tolower(static_cast<UChar32>(c)));
    // Unicode 16 and 17 brought capitals that ICU 72 does not know.
    if (c != 0x130 && icu_lower != c) {
      ASSERT_EQ(to_lower(c), icu_lower) << hex(c);
    }
  }
}

TEST(Unicode, Ideographs) {
  EXPECT_TRUE(is_cjk_ideograph(0x4E00));
  EXPECT_TRUE(is_cjk_ideograph(0x2F800));
  EXPECT_FALSE(is_cjk_ideograph(0x3042));  // hiragana
  EXPECT_FALSE(is_cjk_ideograph(0xAC00));  // Hangul
  EXPECT_FALSE(is_cjk_ideograph(0x2B820));
}

TEST(Unicode, DecompositionOrdersMarks) {
  EXPECT_EQ(canonical_decomposition("\u00E9"), U"e\u0301");
  EXPECT_EQ(canonical_decomposition("a\u0301\u0323"), U"a\u0323\u0301");
  EXPECT_EQ(canonical_decomposition("\uD55C"), U"\u1112\u1161\u11AB");
  EXPECT_EQ(canonical_decomposition("\u212B"), U"A\u030A");
  EXPECT_EQ(canonical_decomposition(""), U"");
}

TEST(Unicode, DecompositionAgreesWithIcuOnLatinAndOldMarks) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* nfd = icu::Normalizer2::getNFDInstance(status);
  ASSERT_TRUE(U_SUCCESS(status));
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    GoldenRandom random(seed);
    std::string text;
    for (uint32_t i = random.below(20); i > 0; --i) {
      append_utf8(text, random.below(2) ? 0x300 + random.below(0x70) : 0x41 + random.below(0x200));
    }
    std::string expected;
    nfd->normalize(icu::UnicodeString::fromUTF8(text), status).toUTF8String(expected);
    EXPECT_EQ(utf8(canonical_decomposition(text)), expected);
  }
}

}  // namespace
}  // namespace trivium
