#include "core/kernels/layer_norm.h"

#include <cmath>

namespace trivium {

TRIVIUM_CPU_CLONES
void layer_norm_row(const float* in, int64_t count, const float* gamma, const float* beta,
                    float eps, float* out) {
  constexpr int64_t kLanes = 16;
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t j = 0; j < kLanes; ++j) lanes[j] += in[i + j];
  }
  float sum = 0;
  for (; i < count; ++i) sum += in[i];
  for (int64_t j = 0; j < kLanes; ++j) sum += lanes[j];
  const float mean = sum / static_cast<float>(count);
  float squares[kLanes] = {};
  for (i = 0; i + kLanes <= count; i += kLanes) {
    for (int64_t j = 0; j < kLanes; ++j) {
      const float centred = in[i + j] - mean;
      squares[j] += centred * centred;
    }
  }
  float square_sum = 0;
  for (; i < count; ++i) square_sum += (in[i] - mean) * (in[i] - mean);
  for (int64_t j = 0; j < kLanes; ++j) square_sum += squares[j];
  const float scale = 1.0f / std::sqrt(square_sum / static_cast<float>(count) + eps);
  for (i = 0; i < count; ++i) out[i] = (in[i] - mean) * scale * gamma[i] + beta[i];
}

}  // namespace trivium
