#include "core/kernels/bfloat16.h"

#include "core/kernels/elementary.h"

namespace trivium {

TRIVIUM_CPU_CLONES
void narrow_to_bfloat16(const float* values, int64_t count, uint16_t* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = to_bfloat16(values[i]);
}

TRIVIUM_CPU_CLONES
void round_to_bfloat16(const float* values, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = from_bfloat16(to_bfloat16(values[i]));
}

TRIVIUM_CPU_CLONES
void widen_from_bfloat16(const uint16_t* values, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = from_bfloat16(values[i]);
}

}  // namespace trivium
