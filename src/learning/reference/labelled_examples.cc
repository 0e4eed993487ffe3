#include "learning/reference/labelled_examples.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/data/text_features.h"

namespace trivium::learning {
namespace {

using Ids = std::vector<int32_t>;

constexpr int64_t kShortest = 8;

// A text's ids, and the place of a word in them.
struct EncodedText {
  Ids ids;
  std::pair<size_t, size_t> span{0, 0};
};

EncodedText encode_text(const Tokenizer& tokenizer, const std::string& text,
                        const std::string& word) {
  EncodedText result;
  if (word.empty()) {
    result.ids = tokenizer.encode(text);
    tokenizer.refuse_without_row(result.ids);
    return result;
  }
  // In three parts: word pieces never cross the border of a word.
  const auto [begin, end] = find_word(text, word);
  result.ids = tokenizer.encode(text.substr(0, begin));
  result.span.first = result.ids.size();
  const Ids middle = tokenizer.encode(text.substr(begin, end - begin));
  result.ids.insert(result.ids.end(), middle.begin(), middle.end());
  result.span.second = result.ids.size();
  const Ids rest = tokenizer.encode(text.substr(end));
  result.ids.insert(result.ids.end(), rest.begin(), rest.end());
  tokenizer.refuse_without_row(result.ids);
  return result;
}

// Cuts the longer of the two until both fit.
void cut(Ids& first, Ids& second, size_t room) {
  while (first.size() + second.size() > room) {
    (first.size() >= second.size() ? first : second).pop_back();
  }
}

// A span of a text that may have been cut, as positions of the whole example; the whole text where
// nothing is left of it.
std::pair<int64_t, int64_t> placed(const EncodedText& text, size_t offset) {
  std::pair<size_t, size_t> span = {std::min(text.span.first, text.ids.size()),
                                    std::min(text.span.second, text.ids.size())};
  if (span.first == span.second) span = {0, text.ids.size()};
  return {static_cast<int64_t>(offset + span.first), static_cast<int64_t>(offset + span.second)};
}

}  // namespace

std::pair<size_t, size_t> find_word(std::string_view sentence, std::string_view word) {
  const std::string lower = to_lower_ascii(sentence), wanted = to_lower_ascii(word);
  std::pair<size_t, size_t> best{0, sentence.size()};
  size_t best_shared = 0;
  for (size_t begin = 0; begin < lower.size();) {
    if (!is_word_byte(lower[begin])) {
      ++begin;
      continue;
    }
    size_t end = begin;
    while (end < lower.size() && is_word_byte(lower[end])) ++end;
    size_t shared = 0;
    while (shared < wanted.size() && begin + shared < end &&
           lower[begin + shared] == wanted[shared]) {
      ++shared;
    }
    if (shared > best_shared ||
        (shared == best_shared && shared > 0 && end - begin < best.second - best.first)) {
      best = {begin, end};
      best_shared = shared;
    }
    begin = end;
  }
  return best;
}

std::vector<LabelledExample> encode_labelled(const std::vector<LabelledRecord>& records,
                                             AnswerKind kind, int64_t task,
                                             const Tokenizer& tokenizer, int64_t max_length) {
  if (max_length < kShortest) {
    throw Error(ExitCode::kUsage,
                "the maximal length must be at least " + std::to_string(kShortest));
  }
  const SpecialTokens& special = tokenizer.special();
  std::vector<LabelledExample> examples;
  for (const LabelledRecord& record : records) {
    EncodedText first = encode_text(tokenizer, record.first, record.word);
    EncodedText second = encode_text(tokenizer, record.second, record.word);
    const bool pair = !record.second.empty();
    cut(first.ids, second.ids, static_cast<size_t>(max_length) - (pair ? 3 : 2));
    LabelledExample example;
    example.task = task;
    example.label = record.label;
    example.value = record.value;
    example.group = record.group;
    example.ids.push_back(special.bos);
    example.ids.insert(example.ids.end(), first.ids.begin(), first.ids.end());
    example.ids.push_back(special.eos);
    example.second = static_cast<int64_t>(example.ids.size());
    if (pair) {
      example.ids.insert(example.ids.end(), second.ids.begin(), second.ids.end());
      example.ids.push_back(special.eos);
    }
    if (kind == AnswerKind::kWordPair) {
      example.spans = {placed(first, 1), placed(second, static_cast<size_t>(example.second))};
    }
    examples.push_back(std::move(example));
  }
  return examples;
}

}  // namespace trivium::learning
