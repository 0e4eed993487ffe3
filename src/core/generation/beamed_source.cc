// Beam search by the rule of transformers 4.57 (GenerationMixin._beam_search), so that a model
// gives the same ids in both. That rule replaced the older BeamSearchScorer's; they differ in the
// length that the penalty counts (ids after the start token, eos included) and in when a source is
// done.
//
// Where transformers keeps num_beams rows for every source to the end, here a source has only the
// rows that can still matter: one until its first real choice, and none once it is done. The ids
// are the same: its copies at score -1e9 lose to every real continuation, and a done source changes
// no more.
#include <algorithm>
#include <cmath>
#include <utility>

#include "core/generation/source_search.h"

namespace trivium {
namespace {

struct Beam {
  std::vector<int32_t> ids;  // the start token first
  float score = 0;           // sum of log-probabilities; float, to round as transformers does
  int32_t parent = 0;        // the beam it continues, counted among the source's beams before it
  std::vector<float> log_probabilities = {};  // of the ids after the start token
};

struct Continuation {
  float score = 0;
  int32_t beam = 0;
  int32_t token = 0;
  float log_probability = 0;  // of the token
};

class BeamedSource : public SourceSearch {
 public:
  explicit BeamedSource(std::shared_ptr<const SearchOptions> options)
      : options_(std::move(options)),
        num_beams_(static_cast<size_t>(options_->num_beams)),
        processor_(*options_),
        scan_(candidates()) {
    live_.push_back({{options_->start_id}, 0, 0});
  }

  size_t num_rows() const override { return live_.size(); }
  std::span<const int32_t> ids(size_t row) const override { return live_[row].ids; }
  // Twice the beams, so that enough of them go on where each beam's best is eos.
  int candidates() const override { return static_cast<int>(2 * num_beams_); }
  bool reads_logits() const override { return processor_.penalizes(); }
  LogitsProcessor& processor() override { return processor_; }

  void advance(std::span<const RowOutput> outputs, std::vector<int32_t>& parents) override {
    collect_continuations(outputs);
    take_continuations();
    for (const Beam& beam : live_) parents.push_back(beam.parent);
  }

  Hypothesis take_hypothesis() override {
    Hypothesis best = hypothesis_of(ended_.front());
    const auto told = std::min(ended_.size(), static_cast<size_t>(options_->n_best));
    for (size_t i = 1; i < told; ++i) best.others.push_back(hypothesis_of(ended_[i]));
    return best;
  }

 private:
  // Takes the beam's ids.
  Hypothesis hypothesis_of(Beam& beam) const {
    beam.ids.erase(beam.ids.begin());
    const bool finished = !beam.ids.empty() && beam.ids.back() == options_->eos_id;
    if (finished) beam.ids.pop_back();
    return {std::move(beam.ids), beam.score, finished, std::move(beam.log_probabilities)};
  }

  // Fills continuations_ with the best 2 * num_beams of all live beams, best first.
  void collect_continuations(std::span<const RowOutput> outputs) {
    continuations_.clear();
    for (size_t row = 0; row < live_.size(); ++row) {
      const auto index = static_cast<int32_t>(row);
      if (outputs[row].forced >= 0) {
        continuations_.push_back({live_[row].score, index, outputs[row].forced, 0});
        continue;
      }
      const LogitScan& scan =
          reads_logits() ? penalized_scan(live_[row], outputs[row]) : *outputs[row].scan;
      for (const Candidate& candidate : scan.best().first(most_of(scan))) {
        const float log_probability =
            reads_logits() ? candidate.logit : scan.log_probability(candidate.logit);
        continuations_.push_back(
            {log_probability + live_[row].score, index, candidate.token, log_probability});
      }
    }
    std::stable_sort(
        continuations_.begin(), continuations_.end(),
        [](const Continuation& a, const Continuation& b) { return a.score > b.score; });
    if (continuations_.size() > 2 * num_beams_) continuations_.resize(2 * num_beams_);
  }

  // A scan may hold more candidates, for other sources of the batch.
  size_t most_of(const LogitScan& scan) const {
    return std::min(scan.best().size(), 2 * num_beams_);
  }

  // A scan of log-probabilities that repetition has been punished in, as if they were logits.
  const LogitScan& penalized_scan(const Beam& beam, const RowOutput& output) {
    scan_.read(output.logits);
    scores_.resize(output.logits.size());
    for (size_t i = 0; i < scores_.size(); ++i) {
      scores_[i] = scan_.log_probability(output.logits[i]);
    }
    processor_.penalize(beam.ids, scores_);
    scan_.read(scores_, output.banned);
    return scan_;
  }

  void take_continuations() {
    std::vector<Beam> next;
    const size_t length = live_.front().ids.size() + 1;
    for (size_t rank = 0; rank < continuations_.size(); ++rank) {
      const Continuation& continuation = continuations_[rank];
      const Beam& parent = live_[continuation.beam];
      Beam beam{parent.ids, continuation.score, continuation.beam, parent.log_probabilities};
      beam.ids.push_back(continuation.token);
      beam.log_probabilities.push_back(continuation.log_probability);
      const bool ended = continuation.token == options_->eos_id ||
                         static_cast<int>(length) == options_->max_length;
      if (ended) {
        if (rank < num_beams_) add_ended(std::move(beam));
      } else if (next.size() < num_beams_) {
        next.push_back(std::move(beam));
      }
    }
    if (continuations_.empty()) {  // every token is banned: the beams end as they are
      for (Beam& beam : live_) add_ended(std::move(beam));
    }
    live_ = std::move(next);
    if (is_done()) live_.clear();
  }

  // The score that ended beams are compared by; `length` counts the ids, the start token included.
  float penalized(float score, size_t length) const {
    const auto counted = static_cast<double>(length - 1);
    return score / static_cast<float>(std::pow(counted, options_->length_penalty));
  }

  // Keeps the best num_beams; of equal ones the older first.
  void add_ended(Beam beam) {
    beam.score = penalized(beam.score, beam.ids.size());
    const auto place = std::find_if(ended_.begin(), ended_.end(),
                                    [&](const Beam& old) { return beam.score > old.score; });
    ended_.insert(place, std::move(beam));
    if (ended_.size() > num_beams_) ended_.pop_back();
  }

  // kAsItIs is a heuristic, since a score may still rise with the length; kept to the letter.
  bool is_done() const {
    if (live_.empty()) return true;
    if (ended_.size() < num_beams_) return false;
    if (options_->beam_end == BeamEnd::kAtOnce) return true;
    const bool may_gain =
        options_->beam_end == BeamEnd::kAtMaxLength && options_->length_penalty > 0;
    const size_t length =
        may_gain ? static_cast<size_t>(options_->max_length) : live_.front().ids.size();
    return !(penalized(live_.front().score, length) > ended_.back().score);
  }

  std::shared_ptr<const SearchOptions> options_;
  size_t num_beams_;
  LogitsProcessor processor_;
  LogitScan scan_;  // of penalized_scan()
  std::vector<float> scores_;
  std::vector<Continuation> continuations_;
  std::vector<Beam> live_;   // best first, all of one length; empty when the search has ended
  std::vector<Beam> ended_;  // best first, their scores penalized
};

}  // namespace

std::unique_ptr<SourceSearch> beamed_source(std::shared_ptr<const SearchOptions> options) {
  return std::make_unique<BeamedSource>(std::move(options));
}

}  // namespace trivium
