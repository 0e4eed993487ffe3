// Draws a token at random: temperature, then top-k, then top-p, as transformers' sampling.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/rng.h"
#include "core/generation/logit_scan.h"
#include "core/generation/search.h"

namespace trivium {

class Sampler {
 public:
  explicit Sampler(const SearchOptions& options) : options_(options) {}

  // A token of `logits` [vocab_size] not in `banned` (sorted). `scan` has read the row; where top_k
  // is on, its candidates are the top_k best. -1 when no token is allowed.
  int32_t draw(std::span<const float> logits, std::span<const int32_t> banned,
               const LogitScan& scan, Rng& rng);

 private:
  void collect(std::span<const float> logits, std::span<const int32_t> banned);
  void keep_nucleus(double max_logit);
  double weight(const Candidate& candidate, double max_logit) const;

  SearchOptions options_;
  std::vector<Candidate> candidates_;  // kept between calls, so that no step allocates
};

}  // namespace trivium
