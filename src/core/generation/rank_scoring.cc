// Rank scoring: options are fed teacher-forced, all of a batch at once. Options of a source that
// begin with the same tokens share a row until they part; a row leaves the batch with its last
// option.
#include <algorithm>
#include <numeric>
#include <utility>

#include "core/base/error.h"
#include "core/generation/logit_scan.h"
#include "core/generation/search.h"

namespace trivium {
namespace {

using Options = std::vector<std::vector<int32_t>>;

// The options [begin, end) of a source, in sorted order, which have one common beginning.
struct SharedRow {
  size_t source = 0;
  size_t begin = 0, end = 0;
  int32_t token = 0;  // the last of the common beginning
};

class RankScoring {
 public:
  RankScoring(StepDecoder& decoder, int32_t start_id, const std::vector<Options>& options)
      : decoder_(decoder), options_(options), order_(options.size()), scores_(options.size()) {
    for (size_t source = 0; source < options.size(); ++source) {
      for (const auto& option : options[source]) check_option(option);
      order_[source].resize(options[source].size());
      std::iota(order_[source].begin(), order_[source].end(), size_t{0});
      std::sort(order_[source].begin(), order_[source].end(),
                [&](size_t a, size_t b) { return options[source][a] < options[source][b]; });
      scores_[source].resize(options[source].size());
      rows_.push_back({source, 0, options[source].size(), start_id});
    }
  }

  std::vector<std::vector<double>> run() {
    for (size_t depth = 0; !rows_.empty(); ++depth) step(depth);
    return std::move(scores_);
  }

 private:
  void check_option(const std::vector<int32_t>& option) const {
    check(!option.empty(), "an option to score has no tokens, not even its end token");
    for (const int32_t token : option) {
      check(token >= 0 && token < decoder_.vocab_size(),
            "an option's token is not in the vocabulary");
    }
  }

  const std::vector<int32_t>& option(const SharedRow& row, size_t i) const {
    return options_[row.source][order_[row.source][i]];
  }

  // Scores every option's token number `depth`.
  void step(size_t depth) {
    std::vector<int32_t> tokens, parents;
    for (const SharedRow& row : rows_) tokens.push_back(row.token);
    const std::span<const float> logits = decoder_.step(tokens);
    const size_t vocab_size = decoder_.vocab_size();
    std::vector<SharedRow> next;
    for (size_t i = 0; i < rows_.size(); ++i) {
      if (rows_[i].begin == rows_[i].end) continue;  // a source without options
      scan_.read(logits.subspan(i * vocab_size, vocab_size));
      split(rows_[i], depth, logits.subspan(i * vocab_size, vocab_size), next);
      parents.resize(next.size(), static_cast<int32_t>(i));
    }
    if (!next.empty()) select_rows_if_changed(decoder_, parents);
    rows_ = std::move(next);
  }

  // Adds to `next` a row for each token that options of `row` have at `depth` and go on after.
  void split(const SharedRow& row, size_t depth, std::span<const float> logits,
             std::vector<SharedRow>& next) {
    for (size_t begin = row.begin, end; begin < row.end; begin = end) {
      const int32_t token = option(row, begin)[depth];
      const double score = scan_.log_probability(logits[token]);
      size_t going_on = begin;  // sorted order has the shorter options first
      for (end = begin; end < row.end && option(row, end)[depth] == token; ++end) {
        scores_[row.source][order_[row.source][end]] += score;
        if (option(row, end).size() == depth + 1) going_on = end + 1;
      }
      if (going_on < end) next.push_back({row.source, going_on, end, token});
    }
  }

  StepDecoder& decoder_;
  const std::vector<Options>& options_;
  std::vector<std::vector<size_t>> order_;  // of each source, its options sorted by their tokens
  std::vector<std::vector<double>> scores_;
  std::vector<SharedRow> rows_;
  LogitScan scan_{0};
};

}  // namespace

std::vector<std::vector<double>> score_options(StepDecoder& decoder, int32_t start_id,
                                               const std::vector<Options>& options) {
  check(static_cast<int64_t>(options.size()) == decoder.rows(),
        "rank scoring needs the options of each source");
  return RankScoring(decoder, start_id, options).run();
}

}  // namespace trivium
