// What BERT does to text before it looks for word pieces.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trivium {

struct BertTextOptions {
  bool lower_case = true;
  bool strip_accents = true;
  bool split_ideographs = true;  // spaces around CJK ideographs
};

// Cleans the text, puts spaces around CJK ideographs where asked, strips accents (decomposition
// without non-spacing marks), lowers the case: in this order, as Hugging Face's BertNormalizer
// does. `text` is valid UTF-8; at most 5/3 as long afterwards but for decomposition.
std::string normalize_bert_text(std::string_view text, const BertTextOptions& options);

// Words of a normalised text: split at white space, each punctuation mark a word of its own. The
// views point into `text`.
std::vector<std::string_view> split_bert_words(std::string_view text);

}  // namespace trivium
