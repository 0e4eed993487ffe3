#include "core/metrics/normalization.h"

#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include <utility>

namespace trivium {
namespace {

// Python's str.isspace(): White_Space and the four ASCII separators, which Unicode leaves out.
bool is_space(UChar32 c) { return u_isUWhiteSpace(c) || (c >= 0x1C && c <= 0x1F); }

// \w of Python's re, less the underscore, which is punctuation here. Combining marks are not in it.
bool is_word_character(UChar32 c) { return (U_GET_GC_MASK(c) & (U_GC_L_MASK | U_GC_N_MASK)) != 0; }

bool is_article(std::string_view word) { return word == "a" || word == "an" || word == "the"; }

// Calls visit(code point, its bytes) for each character of `text`, ill-formed bytes as U+FFFD.
template <typename Visitor>
void for_each_character(std::string_view text, Visitor visit) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  for (size_t end = 0; end < text.size();) {
    const size_t begin = end;
    UChar32 c;
    U8_NEXT_OR_FFFD(bytes, end, text.size(), c);
    visit(c, text.substr(begin, end - begin));
  }
}

// Words and white space in, tokens out; an article that is a whole word is white space.
class AnswerTokens {
 public:
  void add_space() {
    end_word();
    end_token();
  }
  void add_word_character(std::string_view bytes) { token_ += bytes; }
  void add_other(std::string_view bytes) {
    end_word();
    token_ += bytes;
    word_begin_ = token_.size();
  }
  std::vector<std::string> take() {
    add_space();
    return std::move(tokens_);
  }

 private:
  void end_word() {
    if (is_article(std::string_view(token_).substr(word_begin_))) {
      token_.resize(word_begin_);
      end_token();
    }
    word_begin_ = token_.size();
  }
  void end_token() {
    if (!token_.empty()) tokens_.push_back(std::move(token_));
    token_.clear();
    word_begin_ = 0;
  }

  std::vector<std::string> tokens_;
  std::string token_;      // what came after the last white space
  size_t word_begin_ = 0;  // where in token_ the word at its end begins
};

}  // namespace

std::string to_lower_unicode(std::string_view text) {
  std::string lower;
  icu::UnicodeString::fromUTF8(text).toLower(icu::Locale::getRoot()).toUTF8String(lower);
  return lower;
}

bool is_ascii_punctuation(int32_t c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
         (c >= '{' && c <= '~');
}

std::vector<std::string> split_on_white_space(std::string_view text) {
  std::vector<std::string> pieces;
  std::string piece;
  const auto end_piece = [&] {
    if (!piece.empty()) pieces.push_back(std::exchange(piece, {}));
  };
  for_each_character(text, [&](UChar32 c, std::string_view bytes) {
    is_space(c) ? end_piece() : void(piece += bytes);
  });
  end_piece();
  return pieces;
}

std::vector<std::string> normalized_words(std::string_view text) {
  AnswerTokens tokens;
  for_each_character(to_lower_unicode(text), [&](UChar32 c, std::string_view bytes) {
    if (is_ascii_punctuation(c)) return;  // deleted: what is on its two sides joins
    if (is_space(c)) {
      tokens.add_space();
    } else if (is_word_character(c)) {
      tokens.add_word_character(bytes);
    } else {
      tokens.add_other(bytes);
    }
  });
  return tokens.take();
}

}  // namespace trivium
