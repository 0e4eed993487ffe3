// Greedy search and sampling: one row a source, which leaves the batch when it ends and gives its
// place to a source that waits.
#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/generation/logit_scan.h"
#include "core/generation/logits_processor.h"
#include "core/generation/sampler.h"
#include "core/generation/strategies.h"

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
  GreedySearch(StepDecoder& decoder, const SearchOptions& options, const HypothesisCallback& on_end,
               const TokenCallback& on_token)
      : decoder_(decoder),
        options_(options),
        on_end_(on_end),
        on_token_(on_token),
        processor_(options),
        scan_(options.sample
                  ? static_cast<int>(std::min<int64_t>(options.top_k, decoder.vocab_size()))
                  : 1),
        sampler_(options) {
    add_rows(decoder.rows());
  }

  void run() {
    while (!rows_.empty()) step();
  }

 private:
  // Of the next sources.
  void add_rows(int64_t count) {
    for (; count > 0; --count, ++next_source_) {
      // An odd factor, so that sources of seed s are not those of seed s + 1.
      const uint64_t seed =
          options_.seed * 0x9E3779B97F4A7C15u + static_cast<uint64_t>(next_source_);
      rows_.push_back({next_source_, {options_.start_id}, 0, Rng(seed)});
    }
  }

  // One token for every row, without the logits of the whole vocabulary where the best is all that
  // is asked.
  void step() {
    tokens_.clear();
    forced_.clear();
    banned_.resize(rows_.size());
    for (size_t i = 0; i < rows_.size(); ++i) {
      processor_.process(rows_[i].ids);
      tokens_.push_back(rows_[i].ids.back());
      forced_.push_back(processor_.forced());
      banned_[i].assign(processor_.banned().begin(), processor_.banned().end());
    }
    std::span<const float> logits;
    std::span<const LogitScan> scans;
    const bool whole_rows = options_.sample || processor_.penalizes();
    if (whole_rows) {
      logits = decoder_.step(tokens_);
    } else {
      scans = decoder_.step_scan(tokens_, 1, banned_);
    }
    const size_t vocab_size = decoder_.vocab_size();
    std::vector<Row> kept;
    parents_.clear();
    for (size_t i = 0; i < rows_.size(); ++i) {
      int32_t token = forced_[i];
      if (token < 0) {
        token = whole_rows
                    ? choose(rows_[i], logits.subspan(i * vocab_size, vocab_size), banned_[i])
                    : take_best(rows_[i], scans[i]);
      }
      if (extend(rows_[i], token)) {
        kept.push_back(std::move(rows_[i]));
        parents_.push_back(static_cast<int32_t>(i));
      }
    }
    rows_ = std::move(kept);
    if (rows_.empty() && decoder_.waiting() == 0) return;
    select_rows_if_changed(decoder_, parents_);
    add_rows(decoder_.admit());
  }

  // Both return the next token, its log-probability added to the row's score; -1 when none is
  // allowed.
  static int32_t take_best(Row& row, const LogitScan& scan) {
    if (scan.best().empty()) return -1;
    row.score += scan.log_probability(scan.best().front().logit);
    return scan.best().front().token;
  }

  // Samples, or takes the best, from the logits of every token.
  int32_t choose(Row& row, std::span<const float> logits, std::span<const int32_t> banned) {
    std::span<const float> scores = logits;
    if (processor_.penalizes()) {
      unpunished_.read(logits);
      scores_.assign(logits.begin(), logits.end());
      processor_.penalize(row.ids, scores_);
      scores = scores_;
    }
    scan_.read(scores, banned);
    int32_t token = -1;
    if (options_.sample) {
      token = sampler_.draw(scores, banned, scan_, row.rng);
    } else if (!scan_.best().empty()) {
      token = scan_.best().front().token;
    }
    if (token < 0) return token;
    const LogitScan& model = processor_.penalizes() ? unpunished_ : scan_;
    row.score += model.log_probability(logits[static_cast<size_t>(token)]);
    return token;
  }

  // Adds the next token to `row`; false when that ends it.
  bool extend(Row& row, int32_t token) {
    const bool finished = token == options_.eos_id;
    bool goes_on = token >= 0 && !finished;
    if (goes_on) {
      row.ids.push_back(token);
      goes_on = static_cast<int>(row.ids.size()) < options_.max_length;
      if (on_token_ && !on_token_(row.source, token)) goes_on = false;
    }
    if (!goes_on) {
      row.ids.erase(row.ids.begin());
      on_end_(row.source, {std::move(row.ids), row.score, finished});
    }
    return goes_on;
  }

  StepDecoder& decoder_;
  const SearchOptions& options_;
  const HypothesisCallback& on_end_;
  const TokenCallback& on_token_;
  LogitsProcessor processor_;
  LogitScan scan_, unpunished_;  // of choose()
  std::vector<float> scores_;
  Sampler sampler_;
  std::vector<int32_t> tokens_, forced_, parents_;
  std::vector<std::vector<int32_t>> banned_;
  std::vector<Row> rows_;
  int64_t next_source_ = 0;
};

}  // namespace

void greedy_search(StepDecoder& decoder, const SearchOptions& options,
                   const HypothesisCallback& on_end, const TokenCallback& on_token) {
  GreedySearch(decoder, options, on_end, on_token).run();
}

}  // namespace trivium
