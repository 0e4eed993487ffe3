#include "core/kernels/sum_of_squares.h"

#include <algorithm>

namespace trivium {

TRIVIUM_CPU_CLONES
double sum_of_squares(const float* values, int64_t count) {
  constexpr int64_t kLanes = 64, kBlock = 1024;
  double sum = 0;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t end = std::min(begin + kBlock, count);
    float lanes[kLanes] = {};
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      for (int64_t j = 0; j < kLanes; ++j) lanes[j] += values[i + j] * values[i + j];
    }
    for (int64_t j = 0; i < end; ++i, ++j) lanes[j] += values[i] * values[i];
    for (int64_t j = 0; j < kLanes; ++j) sum += lanes[j];
  }
  return sum;
}

}  // namespace trivium
