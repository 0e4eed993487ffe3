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

#include "core/generation/logit_scan.h"
#include "core/generation/logits_processor.h"
#include "core/generation/strategies.h"

namespace trivium {
namespace {

struct Beam {
  std::vector<int32_t> ids;  // the start token first
  float score = 0;           // sum of log-probabilities; float, to round as transformers does
  int32_t parent = 0;        // the beam it continues, counted among the source's beams before it
};

struct Continuation {
  float score = 0;
  int32_t beam = 0;
  int32_t token = 0;
};

// One source: its live beams and its best ended ones.
class BeamedSource {
 public:
  BeamedSource(int64_t number, const SearchOptions& options)
      : number_(number), options_(&options), num_beams_(options.num_beams) {
    live_.push_back({{options.start_id}, 0, 0});
  }

  int64_t number() const { return number_; }
  const std::vector<Beam>& live() const { return live_; }

  // Takes one step with the best 2 * num_beams continuations of its live beams, best first. Twice
  // num_beams, so that enough of them go on where each beam's best is eos.
  void advance(std::span<const Continuation> continuations) {
    std::vector<Beam> next;
    const size_t length = live_.front().ids.size() + 1;
    for (size_t rank = 0; rank < continuations.size(); ++rank) {
      const Continuation& continuation = continuations[rank];
      Beam beam{live_[continuation.beam].ids, continuation.score, continuation.beam};
      beam.ids.push_back(continuation.token);
      const bool ended = continuation.token == options_->eos_id ||
                         static_cast<int>(length) == options_->max_length;
      if (ended) {
        if (rank < num_beams_) add_ended(std::move(beam));
      } else if (next.size() < num_beams_) {
        next.push_back(std::move(beam));
      }
    }
    if (continuations.empty()) {  // every token is banned: the beams end as they are
      for (Beam& beam : live_) add_ended(std::move(beam));
    }
    live_ = std::move(next);
    if (is_done()) live_.clear();
  }

  Hypothesis take_best() {
    Beam& best = ended_.front();
    best.ids.erase(best.ids.begin());
    const bool finished = !best.ids.empty() && best.ids.back() == options_->eos_id;
    if (finished) best.ids.pop_back();
    return {std::move(best.ids), best.score, finished};
  }

 private:
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

  int64_t number_;
  const SearchOptions* options_;
  size_t num_beams_;
  std::vector<Beam> live_;   // best first, all of one length; empty when the source is done
  std::vector<Beam> ended_;  // best first, their scores penalized
};

class BeamSearch {
 public:
  BeamSearch(StepDecoder& decoder, const SearchOptions& options, const HypothesisCallback& on_end)
      : decoder_(decoder),
        options_(options),
        on_end_(on_end),
        processor_(options),
        num_continuations_(size_t{2} * options.num_beams) {
    add_sources(decoder.rows());
  }

  void run() {
    while (!sources_.empty()) step();
  }

 private:
  void add_sources(int64_t count) {
    for (; count > 0; --count) sources_.emplace_back(next_source_++, options_);
  }

  // Decodes one token of every live beam. Sources that end leave, and others take their places.
  void step() {
    prepare_rows();
    const std::span<const LogitScan> scans =
        processor_.penalizes()
            ? penalized_scans()
            : decoder_.step_scan(tokens_, static_cast<int>(num_continuations_), banned_);
    size_t row = 0;
    parents_.clear();
    for (BeamedSource& source : sources_) {
      const size_t rows = source.live().size();
      collect_continuations(source, scans, row);
      source.advance(continuations_);
      for (const Beam& beam : source.live()) {
        parents_.push_back(static_cast<int32_t>(row) + beam.parent);
      }
      row += rows;
      if (source.live().empty()) on_end_(source.number(), source.take_best());
    }
    std::erase_if(sources_, [](const BeamedSource& source) { return source.live().empty(); });
    if (sources_.empty() && decoder_.waiting() == 0) return;
    select_rows_if_changed(decoder_, parents_);
    add_sources(decoder_.admit());
  }

  // Each live beam's last token and the rules for its next.
  void prepare_rows() {
    tokens_.clear();
    forced_.clear();
    for (const BeamedSource& source : sources_) {
      for (const Beam& beam : source.live()) {
        processor_.process(beam.ids);
        if (banned_.size() == tokens_.size()) banned_.emplace_back();
        banned_[tokens_.size()].assign(processor_.banned().begin(), processor_.banned().end());
        tokens_.push_back(beam.ids.back());
        forced_.push_back(processor_.forced());
      }
    }
  }

  // Scans of log-probabilities that repetition has been punished in, as if they were logits.
  std::span<const LogitScan> penalized_scans() {
    const std::span<const float> logits = decoder_.step(tokens_);
    const size_t width = decoder_.vocab_size();
    scans_.resize(tokens_.size(), LogitScan(static_cast<int>(num_continuations_)));
    scores_.resize(width);
    size_t row = 0;
    for (const BeamedSource& source : sources_) {
      for (const Beam& beam : source.live()) {
        const std::span<const float> own = logits.subspan(row * width, width);
        scans_[row].read(own);
        for (size_t i = 0; i < width; ++i) scores_[i] = scans_[row].log_probability(own[i]);
        processor_.penalize(beam.ids, scores_);
        scans_[row].read(scores_, banned_[row]);
        ++row;
      }
    }
    return scans_;
  }

  // Fills continuations_ with the best of `source`, whose first beam is row `row`.
  void collect_continuations(const BeamedSource& source, std::span<const LogitScan> scans,
                             size_t row) {
    continuations_.clear();
    for (size_t i = 0; i < source.live().size(); ++i) {
      const Beam& beam = source.live()[i];
      const auto index = static_cast<int32_t>(i);
      if (forced_[row + i] >= 0) {
        continuations_.push_back({beam.score, index, forced_[row + i]});
        continue;
      }
      const LogitScan& scan = scans[row + i];
      for (const Candidate& candidate : scan.best()) {
        const float log_probability =
            processor_.penalizes() ? candidate.logit : scan.log_probability(candidate.logit);
        continuations_.push_back({log_probability + beam.score, index, candidate.token});
      }
    }
    std::stable_sort(
        continuations_.begin(), continuations_.end(),
        [](const Continuation& a, const Continuation& b) { return a.score > b.score; });
    if (continuations_.size() > num_continuations_) continuations_.resize(num_continuations_);
  }

  StepDecoder& decoder_;
  const SearchOptions& options_;
  const HypothesisCallback& on_end_;
  LogitsProcessor processor_;
  size_t num_continuations_;
  std::vector<BeamedSource> sources_;  // those that have live beams, in the order of their rows
  int64_t next_source_ = 0;
  std::vector<int32_t> tokens_, forced_, parents_;  // of the rows, in the order of their sources
  std::vector<std::vector<int32_t>> banned_;        // the same; may have more, from earlier steps
  std::vector<Continuation> continuations_;
  std::vector<LogitScan> scans_;  // of penalized_scans()
  std::vector<float> scores_;
};

}  // namespace

void beam_search(StepDecoder& decoder, const SearchOptions& options,
                 const HypothesisCallback& on_end) {
  BeamSearch(decoder, options, on_end).run();
}

}  // namespace trivium
