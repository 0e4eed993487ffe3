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
  GreedySource(std::shared_ptr<const SearchOptions> options, uint64_t draw, IdCallback on_id)
      : options_(std::move(options)),
        on_id_(std::move(on_id)),
        processor_(*options_),
        sampler_(*options_),
        // An odd factor, so that the streams of seed s are not those of seed s + 1.
        rng_(options_->seed * 0x9E3779B97F4A7C15u + draw) {
    ids_.push_back(options_->start_id);
  }

  size_t num_rows() const override { return goes_on_ ? 1 : 0; }
  std::span<const int32_t> ids(size_t) const override { return ids_; }
  int candidates() const override { return 1; }
  bool reads_logits() const override { return options_->sample || processor_.penalizes(); }
  LogitsProcessor& processor() override { return processor_; }

  void advance(std::span<const RowOutput> outputs, std::vector<int32_t>& parents) override {
    const RowOutput& output = outputs.front();
    int32_t token = output.forced;
    if (token < 0) token = reads_logits() ? choose(output) : take_best(*output.scan);
    extend(token);
    if (goes_on_) parents.push_back(0);
  }

  Hypothesis take_hypothesis() override {
    ids_.erase(ids_.begin());
    return {std::move(ids_), score_, finished_};
  }

 private:
  // Both return the next token, its log-probability added to the score; -1 when none is allowed.
  int32_t take_best(const LogitScan& scan) {
    if (scan.best().empty()) return -1;
    score_ += scan.log_probability(scan.best().front().logit);
    return scan.best().front().token;
  }

  // Samples, or takes the best, from the logits of every token.
  int32_t choose(const RowOutput& output) {
    std::span<const float> scores = output.logits;
    if (processor_.penalizes()) {
      unpunished_.read(output.logits);
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
    if (token < 0) return token;
    const LogitScan& model = processor_.penalizes() ? unpunished_ : scan_;
    score_ += model.log_probability(output.logits[static_cast<size_t>(token)]);
    return token;
  }

  void extend(int32_t token) {
    finished_ = token == options_->eos_id;
    goes_on_ = token >= 0 && !finished_;
    if (!goes_on_) return;
    ids_.push_back(token);
    goes_on_ = static_cast<int>(ids_.size()) < options_->max_length;
    if (on_id_ && !on_id_(token)) goes_on_ = false;
  }

  std::shared_ptr<const SearchOptions> options_;
  IdCallback on_id_;
  LogitsProcessor processor_;
  LogitScan scan_, unpunished_;  // of choose()
  std::vector<float> scores_;
  Sampler sampler_;
  Rng rng_;                   // its own, so that its tokens do not depend on who else is searched
  std::vector<int32_t> ids_;  // the start token first
  double score_ = 0;
  bool goes_on_ = true, finished_ = false;
};

}  // namespace

std::unique_ptr<SourceSearch> greedy_source(std::shared_ptr<const SearchOptions> options,
                                            uint64_t draw, IdCallback on_id) {
  return std::make_unique<GreedySource>(std::move(options), draw, std::move(on_id));
}

}  // namespace trivium
