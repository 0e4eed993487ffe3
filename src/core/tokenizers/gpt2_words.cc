#include "core/tokenizers/gpt2_words.h"

#include "core/tokenizers/unicode.h"

namespace trivium {
namespace {

constexpr uint8_t kWordBits = kSpace | kLetter | kNumber;  // none of them: "other"

uint8_t kind_at(std::string_view text, size_t position) {
  return char_class(next_code_point(text, position)) & kWordBits;
}

// Bytes of the English contraction at the start of `text` (case-sensitive, ASCII apostrophe), or 0.
size_t contraction(std::string_view text) {
  for (const std::string_view ending : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
    if (text.starts_with(ending)) return ending.size();
  }
  return 0;
}

// Where the run of characters of `kind` that begins at `position` ends; `last` is where its last
// character begins.
size_t run_end(std::string_view text, size_t position, uint8_t kind, size_t& last) {
  while (position < text.size()) {
    size_t next = position;
    if ((char_class(next_code_point(text, next)) & kWordBits) != kind) break;
    last = position;
    position = next;
  }
  return position;
}

// Where the word that begins at `begin` ends.
size_t word_end(std::string_view text, size_t begin) {
  if (text[begin] == '\'') {
    const size_t length = contraction(text.substr(begin));
    if (length > 0) return begin + length;
  }
  // One space belongs to the word behind it.
  const bool joins =
      text[begin] == ' ' && begin + 1 < text.size() && kind_at(text, begin + 1) != kSpace;
  const size_t core = begin + (joins ? 1 : 0);
  const uint8_t kind = kind_at(text, core);
  size_t last = core;
  const size_t end = run_end(text, core, kind, last);
  // The look-ahead: white space before a word leaves its last character for the word, unless that
  // character is all there is.
  const bool leaves_last = kind == kSpace && end < text.size() && last > begin;
  return leaves_last ? last : end;
}

}  // namespace

std::vector<std::string_view> split_gpt2_words(std::string_view text) {
  std::vector<std::string_view> words;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = word_end(text, begin);
    words.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return words;
}

}  // namespace trivium
