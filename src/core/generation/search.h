// Greedy search, beam search, sampling and rank scoring over a StepDecoder.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/generation/step_decoder.h"

namespace trivium {

// When beam search is done with a source that has num_beams ended beams: where its best live beam
// is no better than the worst of them ...
enum class BeamEnd {
  kAsItIs,      // ... if it ended here
  kAtOnce,      // ... or not: at once
  kAtMaxLength  // ... if it ended at max_length (with a length penalty above 0; else as kAsItIs)
};

struct SearchOptions {
  int num_beams = 1;    // 1: greedy, or sampling when `sample`
  int max_length = 64;  // ids in the output, the start token included
  // Eos is banned while there are fewer ids, the start token included.
  int min_length = 0;
  double length_penalty = 1.0;  // a beam's score is divided by (ids after the start token) to this
  BeamEnd beam_end = BeamEnd::kAsItIs;
  int no_repeat_ngram_size = 0;  // 0: off
  // Of every token that is there already, the start token among them, the logit (in beam search the
  // log-probability) is divided by this where it is positive and multiplied where it is negative.
  double repetition_penalty = 1.0;
  std::vector<std::vector<int32_t>> bad_words = {};  // sequences that do not occur
  std::vector<int32_t> suppressed = {};              // tokens that do not occur
  std::vector<int32_t> suppressed_first = {};  // tokens that are not first, but for a forced one
  int32_t start_id = 2;                        // decoder_start_token_id
  int32_t eos_id = 2;
  int32_t forced_bos_id = -1;  // -1: none
  int32_t forced_eos_id = -1;  // -1: none; forced at max_length
  // The ids that the output begins with, after the start token; they take the place of
  // forced_bos_id, and forced_eos_id takes that of one at max_length.
  std::vector<int32_t> prefix = {};
  bool sample = false;
  double temperature = 1.0;
  int top_k = 0;  // 0: off
  double top_p = 1.0;
  uint64_t seed = 0;  // sampling only
  // How many ended beams a Hypothesis tells, itself among them; at most num_beams.
  int n_best = 1;
  // How many of the likeliest tokens a ChosenToken tells, and its log-probability with them.
  int alternatives = 0;
};

struct TokenProbability {
  int32_t id = 0;
  float log_probability = 0;
};

// A token that greedy search or sampling chose. Log-probabilities are the model's own, before
// penalties, temperature, top-k and top-p.
struct ChosenToken {
  int32_t id = 0;
  float log_probability = 0;  // 0 for a forced one
  // SearchOptions::alternatives of the tokens that were allowed in its place, the likeliest first;
  // none where one was forced.
  std::vector<TokenProbability> alternatives;
};

struct Hypothesis {
  std::vector<int32_t> ids;  // without the start token and eos
  // Greedy and sampling: the sum of the model's log-probabilities (before the repetition penalty,
  // temperature, top-k and top-p); a beam's after that penalty, and divided by its length penalty.
  // A forced token counts 0.
  double score = 0;
  bool finished = false;  // ended with eos, not by length
  // Of each id, and of eos where it ended with that: what is summed in the score.
  std::vector<float> log_probabilities = {};
  // SearchOptions::n_best - 1 others of the source's ended beams, where there are so many: the best
  // first, none better than this.
  std::vector<Hypothesis> others = {};
};

// Called for each new token but eos of greedy search or sampling, not of beam search, whose tokens
// are known only at its end. Returning false ends that source.
using TokenCallback = std::function<bool(int64_t source, const ChosenToken& token)>;

// Called once for each source, when its search ends.
using HypothesisCallback = std::function<void(int64_t source, Hypothesis hypothesis)>;

// Error kUsage for options that are impossible with this vocabulary.
void check_search_options(const SearchOptions& options, int64_t vocab_size);

// Finds the best hypotheses of each source of `decoder`, a fresh one: its rows are sources 0 and
// on, and those that wait follow, taken in as others end. Greedy and beam search choose the ids
// that `generate` of PyPI transformers 4.57 chooses. Errors: kUsage for impossible options,
// kBadModel for logits that are not finite.
void search(StepDecoder& decoder, const SearchOptions& options, const HypothesisCallback& on_end,
            const TokenCallback& on_token = nullptr);

// The same, by source, once all have ended.
std::vector<Hypothesis> search(StepDecoder& decoder, const SearchOptions& options,
                               const TokenCallback& on_token = nullptr);

// Rank scoring: the summed log-probability of each option given its source. `options[i]` are the
// options of source i, each with its eos. Returns [sources][options]. Error kBadModel as above.
std::vector<std::vector<double>> score_options(
    StepDecoder& decoder, int32_t start_id,
    const std::vector<std::vector<std::vector<int32_t>>>& options);

}  // namespace trivium
