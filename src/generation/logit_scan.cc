#include "generation/logit_scan.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace trivium {
namespace {

constexpr size_t kLanes = 16;    // independent sums, so that the compiler may use vector registers
constexpr size_t kBlock = 1024;  // logits; their 4 KB stay in the first-level cache between uses
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// exp(x) for x <= 0 to 2 units in the last place, without branches or calls: 2^n times a polynomial
// in the rest (coefficients of Cephes' expf). NaN gives NaN; below -87 it stays at exp(-87).
inline float exp_of_nonpositive(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: a sum with it has no fraction
  x = x < -87.0f ? -87.0f : x;
  const float shifted = x * 1.44269504f + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;  // ln 2 in two parts
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const uint32_t exponent = (std::bit_cast<uint32_t>(shifted) << 23) + 0x3F800000u;
  return p * std::bit_cast<float>(exponent);
}

float max_of(std::span<const float> values) {
  float lanes[kLanes];
  std::fill_n(lanes, kLanes, kMinusInfinity);
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (size_t l = 0; l < kLanes; ++l) {
      lanes[l] = values[i + l] > lanes[l] ? values[i + l] : lanes[l];
    }
  }
  for (; i < values.size(); ++i) lanes[0] = std::max(lanes[0], values[i]);
  return *std::max_element(lanes, lanes + kLanes);
}

double sum_of_exp(std::span<const float> values, float max) {
  float lanes[kLanes] = {};
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (size_t l = 0; l < kLanes; ++l) lanes[l] += exp_of_nonpositive(values[i + l] - max);
  }
  for (; i < values.size(); ++i) lanes[0] += exp_of_nonpositive(values[i] - max);
  double sum = 0;
  for (const float lane : lanes) sum += lane;
  return sum;
}

}  // namespace

void LogitScan::read(std::span<const float> logits, std::span<const int32_t> banned) {
  best_.clear();
  max_ = kMinusInfinity;
  sum_ = 0;
  for (size_t begin = 0; begin < logits.size(); begin += kBlock) {
    const size_t end = std::min(begin + kBlock, logits.size());
    const std::span<const float> block = logits.subspan(begin, end - begin);
    const float block_max = max_of(block);
    add_sum(block, block_max);
    // Most blocks have nothing better than what is kept.
    if (best_.size() < count_ || (count_ > 0 && block_max > best_.front().logit)) {
      add_candidates(logits, begin, end, banned);
    }
  }
  if (!std::isfinite(sum_) || !std::isfinite(max_)) {
    throw Error(
        ExitCode::kBadModel,
        "the model's logits are not finite numbers: its weights are damaged or its training "
        "diverged");
  }
  log_sum_ = static_cast<float>(std::log(sum_));
  std::sort_heap(best_.begin(), best_.end(), is_better);
}

void LogitScan::add_sum(std::span<const float> block, float block_max) {
  if (block_max > max_) {
    sum_ *= std::exp(static_cast<double>(max_) - block_max);
    max_ = block_max;
  }
  if (max_ > kMinusInfinity) sum_ += sum_of_exp(block, max_);
}

void LogitScan::add_candidates(std::span<const float> logits, size_t begin, size_t end,
                               std::span<const int32_t> banned) {
  for (size_t i = begin; i < end; ++i) {
    const float threshold = best_.size() < count_ ? kMinusInfinity : best_.front().logit;
    if (!(logits[i] > threshold)) continue;
    const auto token = static_cast<int32_t>(i);
    if (std::binary_search(banned.begin(), banned.end(), token)) continue;
    if (best_.size() == count_) {
      std::pop_heap(best_.begin(), best_.end(), is_better);
      best_.pop_back();
    }
    best_.push_back({logits[i], token});
    std::push_heap(best_.begin(), best_.end(), is_better);
  }
}

}  // namespace trivium
