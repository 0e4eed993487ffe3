// What the next token of a sequence may be: bans and forced tokens.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/generation/search.h"

namespace trivium {

class LogitsProcessor {
 public:
  explicit LogitsProcessor(const SearchOptions& options) : options_(options) {}

  // Sets the rules for the token after `ids` (start token included). With transformers' precedence:
  // a forced token overrides every ban, a prefix a forced bos, and a forced eos both.
  void process(std::span<const int32_t> ids);

  // The only token allowed, at log-probability 0; -1: none is forced.
  int32_t forced() const { return forced_; }
  // Sorted.
  std::span<const int32_t> banned() const { return banned_; }

  // Whether penalize() changes anything, so that a search needs every token's score.
  bool penalizes() const { return options_.repetition_penalty != 1; }
  // Applies the repetition penalty for the token after `ids` to `scores` [vocab_size].
  void penalize(std::span<const int32_t> ids, std::span<float> scores);

 private:
  void ban_repeated_ngrams(std::span<const int32_t> ids);
  void ban_words(std::span<const int32_t> ids);

  SearchOptions options_;
  int32_t forced_ = -1;
  std::vector<int32_t> banned_;
  std::vector<int32_t> distinct_;  // of penalize(); kept between calls, so that no step allocates
};

}  // namespace trivium
