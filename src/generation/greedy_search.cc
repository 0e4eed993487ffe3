// Greedy search and sampling: one row a source, which leaves the batch when it ends.
#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/rng.h"
#include "generation/logit_scan.h"
#include "generation/logits_processor.h"
#include "generation/sampler.h"
#include "generation/strategies.h"

namespace trivium {
namespace {

struct Row {
  int64_t source = 0;
  std::vector<int32_t> ids;  // the start token first
  double score = 0;
  Rng rng{0};  // its own, so that a source's tokens do not depend on when others end
};

class GreedySearch {
 public:
  GreedySearch(StepDecoder& decoder, const SearchOptions& options, const TokenCallback& on_token)
      : decoder_(decoder),
        options_(options),
        on_token_(on_token),
        processor_(options),
        scan_(options.sample ? std::min<int64_t>(options.top_k, decoder.vocab_size()) : 1),
        sampler_(options),
        results_(decoder.rows()) {
    for (int64_t source = 0; source < decoder.rows(); ++source) {
      // An odd factor, so that sources of seed s are not those of seed s + 1.
      const uint64_t seed = options.seed * 0x9E3779B97F4A7C15u + static_cast<uint64_t>(source);
      rows_.push_back({source, {options.start_id}, 0, Rng(seed)});
    }
  }

  std::vector<Hypothesis> run() {
    while (!rows_.empty()) step();
    return std::move(results_);
  }

 private:
  void step() {
    std::vector<int32_t> tokens, parents;
    for (const Row& row : rows_) tokens.push_back(row.ids.back());
    const std::span<const float> logits = decoder_.step(tokens);
    const size_t vocab_size = decoder_.vocab_size();
    std::vector<Row> kept;
    for (size_t i = 0; i < rows_.size(); ++i) {
      if (extend(rows_[i], logits.subspan(i * vocab_size, vocab_size))) {
        kept.push_back(std::move(rows_[i]));
        parents.push_back(static_cast<int32_t>(i));
      }
    }
    if (!kept.empty()) select_rows_if_changed(decoder_, parents);
    rows_ = std::move(kept);
  }

  // Adds the next token to `row`; false when that ends it.
  bool extend(Row& row, std::span<const float> logits) {
    processor_.process(row.ids);
    const int32_t token = choose(row, logits);
    const bool finished = token == options_.eos_id;
    bool goes_on = token >= 0 && !finished;
    if (goes_on) {
      row.ids.push_back(token);
      goes_on = static_cast<int>(row.ids.size()) < options_.max_length;
      if (on_token_ && !on_token_(row.source, token)) goes_on = false;
    }
    if (!goes_on) {
      row.ids.erase(row.ids.begin());
      results_[row.source] = {std::move(row.ids), row.score, finished};
    }
    return goes_on;
  }

  // The next token, its log-probability added to the row's score; -1 when none is allowed.
  int32_t choose(Row& row, std::span<const float> logits) {
    if (processor_.forced() >= 0) return processor_.forced();
    const std::span<const int32_t> banned = processor_.banned();
    scan_.read(logits, banned);
    int32_t token = -1;
    if (options_.sample) {
      token = sampler_.draw(logits, banned, scan_, row.rng);
    } else if (!scan_.best().empty()) {
      token = scan_.best().front().token;
    }
    if (token >= 0) row.score += scan_.log_probability(logits[token]);
    return token;
  }

  StepDecoder& decoder_;
  const SearchOptions& options_;
  const TokenCallback& on_token_;
  LogitsProcessor processor_;
  LogitScan scan_;
  Sampler sampler_;
  std::vector<Row> rows_;
  std::vector<Hypothesis> results_;
};

}  // namespace

std::vector<Hypothesis> greedy_search(StepDecoder& decoder, const SearchOptions& options,
                                      const TokenCallback& on_token) {
  return GreedySearch(decoder, options, on_token).run();
}

}  // namespace trivium
