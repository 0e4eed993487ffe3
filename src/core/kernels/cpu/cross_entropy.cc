#include "core/kernels/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/kernels/elementary.h"

namespace trivium {
namespace {

constexpr int64_t kLanes = 16;
constexpr int64_t kBlock = 1024;  // values whose float32 sums are added up in double

template <typename T>
TRIVIUM_ALWAYS_INLINE float largest(const T* logits, int64_t count) {
  float lanes[kLanes];
  std::fill_n(lanes, kLanes, -std::numeric_limits<float>::infinity());
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t j = 0; j < kLanes; ++j) {
      const float value = value_of(logits[i + j]);
      lanes[j] = value > lanes[j] ? value : lanes[j];
    }
  }
  for (; i < count; ++i) lanes[0] = std::max(lanes[0], value_of(logits[i]));
  return *std::max_element(lanes, lanes + kLanes);
}

// The sums of `count` logits, and of exp(logit - max).
template <typename T>
TRIVIUM_ALWAYS_INLINE void add_sums(const T* logits, int64_t count, float max, double& sum,
                                    double& exp_sum) {
  float plain[kLanes] = {}, exponential[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t j = 0; j < kLanes; ++j) {
      const float value = value_of(logits[i + j]);
      plain[j] += value;
      exponential[j] += exp_of_nonpositive(value - max);
    }
  }
  for (int64_t j = 0; i < count; ++i, ++j) {
    plain[j] += value_of(logits[i]);
    exponential[j] += exp_of_nonpositive(value_of(logits[i]) - max);
  }
  for (int64_t j = 0; j < kLanes; ++j) {
    sum += plain[j];
    exp_sum += exponential[j];
  }
}

template <typename T>
TRIVIUM_ALWAYS_INLINE float row_loss(T* logits, int64_t count, int64_t label, float smoothing,
                                     float scale) {
  const float max = largest(logits, count), of_label = value_of(logits[label]);
  double sum = 0, exp_sum = 0;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    add_sums(logits + begin, std::min(kBlock, count - begin), max, sum, exp_sum);
  }
  const auto even = smoothing / static_cast<float>(count);
  const float share = scale / static_cast<float>(exp_sum), less = scale * even;
  for (int64_t i = 0; i < count; ++i) {
    store(exp_of_nonpositive(value_of(logits[i]) - max) * share - less, logits[i]);
  }
  const float probability = exp_of_nonpositive(of_label - max) * share;
  store(probability - less - scale * (1 - smoothing), logits[label]);
  return static_cast<float>(max + std::log(exp_sum) - (1.0 - smoothing) * of_label - even * sum);
}

}  // namespace

TRIVIUM_CPU_CLONES
float cross_entropy_row(float* logits, int64_t count, int64_t label, float smoothing, float scale) {
  return row_loss(logits, count, label, smoothing, scale);
}

TRIVIUM_CPU_CLONES
float cross_entropy_row(uint16_t* logits, int64_t count, int64_t label, float smoothing,
                        float scale) {
  return row_loss(logits, count, label, smoothing, scale);
}

}  // namespace trivium
