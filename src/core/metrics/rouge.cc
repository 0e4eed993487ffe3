// ROUGE-L, twice: as the package rouge-score defines it, and as CrossFit scored with the package
// rouge.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/metrics/families.h"
#include "core/metrics/mean_metric.h"
#include "core/metrics/normalization.h"

namespace trivium {
namespace {

// Words as numbers, so that the inner loops compare integers.
class WordIds {
 public:
  std::vector<uint32_t> ids(const std::vector<std::string>& words) {
    std::vector<uint32_t> result;
    result.reserve(words.size());
    for (const std::string& word : words) {
      result.push_back(ids_.try_emplace(word, static_cast<uint32_t>(ids_.size())).first->second);
    }
    return result;
  }

 private:
  std::unordered_map<std::string, uint32_t> ids_;
};

// rouge-score's default tokenizer without stemming: runs of a-z and 0-9 after Unicode lower-casing.
std::vector<std::string> alphanumeric_runs(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : to_lower_unicode(text) + ' ') {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::exchange(word, {}));
    }
  }
  return words;
}

// Length of the longest common subsequence: time |a| |b|, memory one row of the shorter.
size_t lcs_length(std::span<const uint32_t> a, std::span<const uint32_t> b) {
  if (a.size() < b.size()) std::swap(a, b);
  std::vector<uint32_t> row(b.size() + 1, 0);  // row[j]: of a so far and the first j of b
  for (const uint32_t word : a) {
    uint32_t diagonal = 0;
    for (size_t j = 1; j <= b.size(); ++j) {
      const uint32_t above = row[j];
      row[j] = word == b[j - 1] ? diagonal + 1 : std::max(above, row[j - 1]);
      diagonal = above;
    }
  }
  return row.back();
}

class RougeL : public MeanMetric {
 public:
  std::string_view name() const override { return "rouge_l"; }

 private:
  double score_item(const Scored& item) const override {
    WordIds words;
    const std::vector<uint32_t> prediction = words.ids(alphanumeric_runs(item.prediction));
    double best = 0;
    for (const std::string& text : item.golds) {
      const std::vector<uint32_t> gold = words.ids(alphanumeric_runs(text));
      const auto common = static_cast<double>(lcs_length(gold, prediction));
      // 2 p r / (p + r) with p = common / |prediction| and r = common / |gold|
      if (common > 0) {
        best = std::max(best, 2 * common / static_cast<double>(prediction.size() + gold.size()));
      }
    }
    return best;
  }
};

// Which subsequence is the longest is a matter of choice where there are several, and the union
// below depends on it; so the choice is the package's: match where the last words are equal, else
// drop the last word of `gold` if that loses less than dropping the last of `prediction`. Both are
// cut at kMaxSentence words, so that the table of choices takes at most 2 MB.
constexpr size_t kMaxSentence = 4096;

void add_common_subsequence(std::span<const uint32_t> gold, std::span<const uint32_t> prediction,
                            std::unordered_set<uint32_t>& words) {
  gold = gold.first(std::min(gold.size(), kMaxSentence));
  prediction = prediction.first(std::min(prediction.size(), kMaxSentence));
  const size_t columns = prediction.size() + 1;
  std::vector<uint32_t> row(columns, 0);
  std::vector<bool> drop_gold((gold.size() + 1) * columns, false);
  for (size_t i = 1; i <= gold.size(); ++i) {
    uint32_t diagonal = 0;
    for (size_t j = 1; j < columns; ++j) {
      const uint32_t above = row[j];
      drop_gold[i * columns + j] = above > row[j - 1];
      row[j] = gold[i - 1] == prediction[j - 1] ? diagonal + 1 : std::max(above, row[j - 1]);
      diagonal = above;
    }
  }
  for (size_t i = gold.size(), j = prediction.size(); i > 0 && j > 0;) {
    if (gold[i - 1] == prediction[j - 1]) {
      words.insert(gold[--i]);
      --j;
    } else if (drop_gold[i * columns + j]) {
      --i;
    } else {
      --j;
    }
  }
}

using Sentences = std::vector<std::vector<uint32_t>>;

// The package's sentences: what is between full stops, in words. A sentence of white space alone
// has one word, the empty one (the package joins and splits again); text of full stops alone has no
// sentence.
Sentences sentences_of(std::string_view text, WordIds& words) {
  Sentences sentences;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('.', begin), text.size());
    if (end > begin) {
      std::vector<std::string> sentence = split_on_white_space(text.substr(begin, end - begin));
      if (sentence.empty()) sentence.emplace_back();
      sentences.push_back(words.ids(sentence));
    }
    begin = end + 1;
  }
  return sentences;
}

size_t count_distinct_words(const Sentences& sentences) {
  std::unordered_set<uint32_t> words;
  for (const auto& sentence : sentences) words.insert(sentence.begin(), sentence.end());
  return words.size();
}

// CrossFit's ROUGE-L: `rouge` 1.0.0's summary-level score, on the texts' own case, with sets of
// words.
class RougeLCrossFit : public MeanMetric {
 public:
  std::string_view name() const override { return "rouge_l_crossfit"; }

 private:
  double score_item(const Scored& item) const override {
    const bool has_text = std::any_of(item.prediction.begin(), item.prediction.end(),
                                      [](char c) { return !is_ascii_punctuation(c); });
    if (!has_text) return 0;
    WordIds words;
    const Sentences prediction = sentences_of(item.prediction, words);
    double best = 0;
    for (const std::string& gold : item.golds) {
      best = std::max(best, f_measure(prediction, sentences_of(gold, words)));
    }
    return best;
  }

  static double f_measure(const Sentences& prediction, const Sentences& gold) {
    if (gold.empty()) return 0;  // the package raises an error
    std::unordered_set<uint32_t> common;
    for (const auto& gold_sentence : gold) {
      for (const auto& sentence : prediction) {
        add_common_subsequence(gold_sentence, sentence, common);
      }
    }
    const auto count = static_cast<double>(common.size());
    const double recall = count / static_cast<double>(count_distinct_words(gold));
    const double precision = count / static_cast<double>(count_distinct_words(prediction));
    return 2 * (precision * recall / (precision + recall + 1e-8));
  }
};

}  // namespace

std::unique_ptr<Metric> make_rouge_l() { return std::make_unique<RougeL>(); }
std::unique_ptr<Metric> make_rouge_l_crossfit() { return std::make_unique<RougeLCrossFit>(); }

}  // namespace trivium
