#include "core/tokenizers/unicode.h"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uniset.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "core/base/error.h"

namespace trivium {
namespace {

struct CodePointRange {
  CodePoint first, last;
};

// Every `stride`-th code point from `first` to `last` has its lower case `delta` away.
struct LowerCaseRow {
  CodePoint first, last;
  int stride, delta;
};

#include "core/tokenizers/unicode_tables.inc"

constexpr CodePoint kCodePoints = 0x110000;

struct Tables {
  std::vector<uint8_t> classes = std::vector<uint8_t>(kCodePoints);
  std::vector<CodePoint> lower = std::vector<CodePoint>(kLowerCaseEnd);
  // No code point from here on has another case.
  static constexpr CodePoint kLowerCaseEnd = std::rbegin(kLowerCaseRows)->last + 1;

  template <size_t n>
  void mark(const CodePointRange (&ranges)[n], CharClass bit) {
    for (const CodePointRange& range : ranges) {
      for (CodePoint c = range.first; c <= range.last; ++c) classes[c] |= bit;
    }
  }

  // The one property of which Hugging Face's library and ICU have the same opinion.
  void mark_white_space() {
    UErrorCode status = U_ZERO_ERROR;
    icu::UnicodeSet spaces;
    spaces.applyIntPropertyValue(UCHAR_WHITE_SPACE, 1, status);
    check(U_SUCCESS(status), "ICU knows white space");
    for (int32_t i = 0; i < spaces.getRangeCount(); ++i) {
      for (UChar32 c = spaces.getRangeStart(i); c <= spaces.getRangeEnd(i); ++c) {
        classes[static_cast<size_t>(c)] |= kSpace;
      }
    }
  }

  Tables() {
    mark_white_space();
    mark(kDroppedRanges, kDropped);
    mark(kPunctuationRanges, kPunctuation);
    mark(kMarkRanges, kMark);
    mark(kDecomposedRanges, kDecomposed);
    mark(kReorderedRanges, kReordered);
    mark(kLetterRanges, kLetter);
    mark(kNumberRanges, kNumber);
    for (CodePoint c = 0; c < kLowerCaseEnd; ++c) lower[c] = c;
    for (const LowerCaseRow& row : kLowerCaseRows) {
      for (CodePoint c = row.first; c <= row.last; c += row.stride) lower[c] = c + row.delta;
    }
  }
};

const Tables& tables() {
  static const Tables instance;
  return instance;
}

// Code points with equal combining class 0 stay in place; runs of others are sorted, stably.
void reorder_marks(std::u32string& text) {
  const auto combining = [](CodePoint c) { return (char_class(c) & kReordered) != 0; };
  for (auto begin = text.begin(); begin != text.end();) {
    begin = std::find_if(begin, text.end(), combining);
    const auto end = std::find_if_not(begin, text.end(), combining);
    std::stable_sort(begin, end, [](CodePoint a, CodePoint b) {
      return u_getCombiningClass(static_cast<UChar32>(a)) <
             u_getCombiningClass(static_cast<UChar32>(b));
    });
    begin = end;
  }
}

}  // namespace

uint8_t char_class(CodePoint c) {
  static const uint8_t* const classes = tables().classes.data();
  return classes[c];
}

bool is_cjk_ideograph(CodePoint c) {
  // U+2B820..U+2B91F are left out, as in the Rust library (in Google's BERT they are in).
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B81F) ||
         (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) ||
         (c >= 0x2F800 && c <= 0x2FA1F);
}

CodePoint to_lower(CodePoint c) { return c < Tables::kLowerCaseEnd ? tables().lower[c] : c; }

std::u32string canonical_decomposition(std::string_view text) {
  UErrorCode status = U_ZERO_ERROR;
  static const icu::Normalizer2* const nfd = icu::Normalizer2::getNFDInstance(status);
  check(U_SUCCESS(status) && nfd != nullptr, "ICU has no NFD data");
  std::u32string result;
  result.reserve(text.size());
  icu::UnicodeString parts;
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = next_code_point(text, i);
    if ((char_class(c) & kDecomposed) && nfd->getDecomposition(static_cast<UChar32>(c), parts)) {
      for (int32_t k = 0; k < parts.length(); k = parts.moveIndex32(k, 1)) {
        result += static_cast<CodePoint>(parts.char32At(k));
      }
    } else {
      result += c;
    }
  }
  reorder_marks(result);
  return result;
}

}  // namespace trivium
