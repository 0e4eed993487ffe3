#include "core/generation/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace trivium {

int32_t Sampler::draw(std::span<const float> logits, std::span<const int32_t> banned,
                      const LogitScan& scan, Rng& rng) {
  if (options_.top_k > 0) {
    candidates_.assign(scan.best().begin(), scan.best().end());
  } else {
    collect(logits, banned);
  }
  if (candidates_.empty()) return -1;
  const double max_logit =
      std::min_element(candidates_.begin(), candidates_.end(), is_better)->logit;
  if (options_.top_p < 1) keep_nucleus(max_logit);

  double total = 0;
  for (const Candidate& candidate : candidates_) total += weight(candidate, max_logit);
  double rest = rng.uniform() * total;
  for (const Candidate& candidate : candidates_) {
    rest -= weight(candidate, max_logit);
    if (rest < 0) return candidate.token;
  }
  return candidates_.back().token;  // only by rounding
}

double Sampler::weight(const Candidate& candidate, double max_logit) const {
  return std::exp((candidate.logit - max_logit) / options_.temperature);
}

// Every token that is allowed.
void Sampler::collect(std::span<const float> logits, std::span<const int32_t> banned) {
  candidates_.clear();
  auto next_banned = banned.begin();
  for (size_t i = 0; i < logits.size(); ++i) {
    const auto token = static_cast<int32_t>(i);
    next_banned = std::find_if(next_banned, banned.end(), [&](int32_t b) { return b >= token; });
    if (next_banned != banned.end() && *next_banned == token) continue;
    if (logits[i] > -std::numeric_limits<float>::infinity()) {
      candidates_.push_back({logits[i], token});
    }
  }
}

// Keeps the most probable candidates whose mass first reaches top_p. A heap gives them in order for
// the price of those that are kept.
void Sampler::keep_nucleus(double max_logit) {
  double total = 0;
  for (const Candidate& candidate : candidates_) total += weight(candidate, max_logit);
  const auto is_worse = [](const Candidate& a, const Candidate& b) { return is_better(b, a); };
  std::make_heap(candidates_.begin(), candidates_.end(), is_worse);
  auto heap_end = candidates_.end();
  for (double mass = 0; mass < options_.top_p * total && heap_end != candidates_.begin();) {
    std::pop_heap(candidates_.begin(), heap_end, is_worse);
    --heap_end;
    mass += weight(*heap_end, max_logit);
  }
  candidates_.erase(candidates_.begin(), heap_end);
}

}  // namespace trivium
