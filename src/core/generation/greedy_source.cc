// Greedy search and sampling.
#include <algorithm>
#include <utility>

#include "core/base/rng.h"
#include "core/generation/sampler.h"
#include "core/generation/source_search.h"

namespace trivium {
namespace {

class GreedySource : public SourceSearch {
 public:
  GreedySource(std::shared_ptr<const SearchOptions> options, uint64_t draw, ChosenCallback on_token)
      : options_(std::move(options)),
        on_token_(std::move(on_token)),
        processor_(*options_),
        sampler_(*options_),
        // An odd factor, so that the streams of seed s are not those of seed s + 1.
        rng_(options_->seed * 0x9E3779B97F4A7C15u + draw) {
    ids_.push_back(options_->start_id);
  }

  size_t num_rows() const override { return goes_on_ ? 1 : 0; }
  std::span<const int32_t> ids(size_t) const override { return ids_; }
  int candidates() const override { return std::max(1, options_->alternatives); }
  bool reads_logits() const override { return options_->sample || processor_.penalizes(); }
  LogitsProcessor& processor() override { return processor_; }

  void advance(std::span<const RowOutput> outputs, std::vector<int32_t>& parents) override {
    const RowOutput& output = outputs.front();
    token_ = ChosenToken{output.forced, 0, {}};
    if (output.forced < 0 && reads_logits()) choose(output);
    if (output.forced < 0 && !reads_logits()) take_best(*output.scan);
    extend();
    if (goes_on_) parents.push_back(0);
  }

  Hypothesis take_hypothesis() override {
    ids_.erase(ids_.begin());
    return {std::move(ids_), score_, finished_, std::move(log_probabilities_)};
  }

 private:
  // Both make token_ the next one, whose id is -1 where none is allowed, and add to the score.
  void take_best(const LogitScan& scan) {
    if (!scan.best().empty()) accept(scan, scan.best().front());
  }

  // Samples, or takes the best, from the logits of every token.
  void choose(const RowOutput& output) {
    std::span<const float> scores = output.logits;
    // What the model itself thinks, where that is not what the token is chosen by.
    const bool reads_model = processor_.penalizes() || options_->alternatives > 0;
    if (reads_model) {
      model_scan_.begin(options_->alternatives);
      model_scan_.read(output.logits, output.banned);
    }
    if (processor_.penalizes()) {
      scores_.assign(output.logits.begin(), output.logits.end());
      processor_.penalize(ids_, scores_);
      scores = scores_;
    }
    const auto most = static_cast<int64_t>(scores.size());
    scan_.begin(options_->sample ? static_cast<int>(std::min<int64_t>(options_->top_k, most)) : 1);
    scan_.read(scores, output.banned);
    int32_t token = -1;
    if (options_->sample) {
      token = sampler_.draw(scores, output.banned, scan_, rng_);
    } else if (!scan_.best().empty()) {
      token = scan_.best().front().token;
    }
    if (token < 0) return;
    accept(reads_model ? model_scan_ : scan_, {output.logits[static_cast<size_t>(token)], token});
  }

  // `scan` is of the model's own logits.
  void accept(const LogitScan& scan, const Candidate& chosen) {
    token_.id = chosen.token;
    token_.log_probability = scan.log_probability(chosen.logit);
    score_ += token_.log_probability;
    const auto count = static_cast<size_t>(options_->alternatives);
    for (const Candidate& other : scan.best().first(std::min(count, scan.best().size()))) {
      token_.alternatives.push_back({other.token, scan.log_probability(other.logit)});
    }
  }

  void extend() {
    finished_ = token_.id == options_->eos_id;
    goes_on_ = token_.id >= 0 && !finished_;
    if (token_.id >= 0) log_probabilities_.push_back(token_.log_probability);
    if (!goes_on_) return;
    ids_.push_back(token_.id);
    goes_on_ = static_cast<int>(ids_.size()) < options_->max_length;
    if (on_token_ && !on_token_(token_)) goes_on_ = false;
  }

  std::shared_ptr<const SearchOptions> options_;
  ChosenCallback on_token_;
  LogitsProcessor processor_;
  LogitScan scan_, model_scan_;  // of choose()
  std::vector<float> scores_;
  Sampler sampler_;
  Rng rng_;                   // its own, so that its tokens do not depend on who else is searched
  std::vector<int32_t> ids_;  // the start token first
  std::vector<float> log_probabilities_;
  ChosenToken token_;  // the last
  double score_ = 0;
  bool goes_on_ = true, finished_ = false;
};

}  // namespace

std::unique_ptr<SourceSearch> greedy_source(std::shared_ptr<const SearchOptions> options,
                                            uint64_t draw, ChosenCallback on_token) {
  return std::make_unique<GreedySource>(std::move(options), draw, std::move(on_token));
}

}  // namespace trivium
