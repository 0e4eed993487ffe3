// Code points and the character classes of Hugging Face `tokenizers` (see unicode_tables.inc).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace trivium {

using CodePoint = char32_t;

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

// The code point at `text[position]`, and moves `position` behind it. `text` is valid UTF-8.
CodePoint next_code_point(std::string_view text, size_t& position);

void append_utf8(std::string& text, CodePoint c);

// Unicode normalisation form D; `text` is valid UTF-8.
std::u32string canonical_decomposition(std::string_view text);

}  // namespace trivium
