#include "core/tokenizers/bert_text.h"

#include "core/tokenizers/unicode.h"

namespace trivium {
namespace {

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

// Cleaned, with spaces around ideographs where asked.
std::string clean(std::string_view text, bool split_ideographs) {
  std::string result;
  result.reserve(text.size() + 16);
  for (size_t i = 0; i < text.size();) {
    const size_t begin = i;
    const CodePoint c = next_code_point(text, i);
    // Tab and line ends are control characters of the kind that is white space.
    const bool is_line_space = c == '\t' || c == '\n' || c == '\r';
    if (!is_line_space && (char_class(c) & kDropped)) continue;
    if (is_line_space || (char_class(c) & kSpace)) {
      result += ' ';
    } else if (split_ideographs && is_cjk_ideograph(c)) {
      result.append(" ").append(text.substr(begin, i - begin)).append(" ");
    } else {
      result.append(text.substr(begin, i - begin));
    }
  }
  return result;
}

void append_lower(std::string& text, CodePoint c) {
  if (c == 0x130) {  // capital I with dot above: the one whose lower case is two code points
    text += "i\u0307";
  } else {
    append_utf8(text, to_lower(c));
  }
}

// Appends a stretch that holds non-ASCII characters.
void append_folded(std::string& result, std::string_view text, const BertTextOptions& options) {
  const auto append = [&](CodePoint c) {
    if (options.lower_case) {
      append_lower(result, c);
    } else {
      append_utf8(result, c);
    }
  };
  if (options.strip_accents) {
    for (const CodePoint c : canonical_decomposition(text)) {
      if (!(char_class(c) & kMark)) append(c);
    }
  } else {
    for (size_t i = 0; i < text.size();) append(next_code_point(text, i));
  }
}

}  // namespace

std::string normalize_bert_text(std::string_view text, const BertTextOptions& options) {
  const std::string cleaned = clean(text, options.split_ideographs);
  std::string result;
  result.reserve(cleaned.size());
  for (size_t i = 0; i < cleaned.size();) {
    if (is_ascii(cleaned[i])) {
      const char c = cleaned[i++];
      result += options.lower_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      continue;
    }
    // ASCII never decomposes, combines or moves: normalising between two ASCII characters is exact.
    const size_t begin = i;
    while (i < cleaned.size() && !is_ascii(cleaned[i])) ++i;
    append_folded(result, std::string_view(cleaned).substr(begin, i - begin), options);
  }
  return result;
}

std::vector<std::string_view> split_bert_words(std::string_view text) {
  std::vector<std::string_view> words;
  size_t begin = 0;  // of the word that has not ended yet
  const auto end_word = [&](size_t end) {
    if (end > begin) words.push_back(text.substr(begin, end - begin));
  };
  for (size_t i = 0; i < text.size();) {
    const size_t at = i;
    const uint8_t kind = char_class(next_code_point(text, i));
    if (!(kind & (kSpace | kPunctuation))) continue;
    end_word(at);
    if (kind & kPunctuation) words.push_back(text.substr(at, i - at));
    begin = i;
  }
  end_word(text.size());
  return words;
}

}  // namespace trivium
