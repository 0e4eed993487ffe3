// The character classes of Hugging Face `tokenizers`: its own tables (unicode_tables.inc), since it
// mixes Unicode versions and ids must not change with the version of ICU; white space is ICU's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/text.h"

namespace trivium {

// Bits of char_class().
enum CharClass : uint8_t {
  kSpace = 1,        // White_Space
  kDropped = 2,      // removed by BERT's text cleaning: NUL, U+FFFD, control, format, private use
  kPunctuation = 4,  // a BERT word of its own
  kMark = 8,         // removed by BERT's accent stripping (after decomposition)
  kDecomposed = 16,  // has a canonical decomposition
  kReordered = 32,   // has a canonical combining class other than 0
  kLetter = 64,      // \p{L} of the GPT-2 pattern
  kNumber = 128,     // \p{N} of the GPT-2 pattern
};

uint8_t char_class(CodePoint c);

// Whether BERT puts spaces around `c`.
bool is_cjk_ideograph(CodePoint c);

// The simple lower-case mapping (U+0130 maps to itself: its full mapping has two code points).
CodePoint to_lower(CodePoint c);

// Unicode normalisation form D; `text` is valid UTF-8.
std::u32string canonical_decomposition(std::string_view text);

}  // namespace trivium
