#include "core/kernels/dropout.h"

#include <algorithm>
#include <cmath>

#include "core/kernels/elementary.h"

namespace trivium {
namespace {

// The finaliser of MurmurHash3 on the element's number and one half of the key, the other half
// coming in between its two multiplications.
TRIVIUM_ALWAYS_INLINE float factor_of(DropoutMask mask, uint32_t element) {
  uint32_t x = element ^ mask.key_low;
  x ^= x >> 16;
  x *= 0x85EBCA6Bu;
  x ^= (x >> 13) ^ mask.key_high;
  x *= 0xC2B2AE35u;
  x ^= x >> 16;
  return x >= mask.first_kept ? mask.scale : 0.0f;
}

// The mask is a copy, which no store can change: else the loop would not become vector code.
template <typename In, typename Out>
TRIVIUM_ALWAYS_INLINE void drop(DropoutMask mask, int64_t first, const In* values, int64_t count,
                                Out* out) {
  const auto begin = static_cast<uint32_t>(first);
  for (int64_t i = 0; i < count; ++i) {
    store(factor_of(mask, begin + static_cast<uint32_t>(i)) * value_of(values[i]), out[i]);
  }
}

template <typename In>
TRIVIUM_ALWAYS_INLINE void add_dropped(DropoutMask mask, int64_t first, const float* residual,
                                       const In* values, int64_t count, float* out) {
  const auto begin = static_cast<uint32_t>(first);
  for (int64_t i = 0; i < count; ++i) {
    out[i] = residual[i] + factor_of(mask, begin + static_cast<uint32_t>(i)) * value_of(values[i]);
  }
}

}  // namespace

DropoutMask::DropoutMask(double rate, uint64_t key)
    : first_kept(static_cast<uint32_t>(std::min(std::round(rate * 4294967296.0), 4294967295.0))),
      scale(static_cast<float>(1 / (1 - rate))) {
  // SplitMix64's output function: keys that differ in one bit differ in half of all bits after it.
  key = (key ^ (key >> 30)) * 0xBF58476D1CE4E5B9u;
  key = (key ^ (key >> 27)) * 0x94D049BB133111EBu;
  key ^= key >> 31;
  key_low = static_cast<uint32_t>(key);
  key_high = static_cast<uint32_t>(key >> 32);
}

TRIVIUM_CPU_CLONES
void drop_values(const DropoutMask& mask, int64_t first, const float* values, int64_t count,
                 float* out) {
  drop(mask, first, values, count, out);
}

TRIVIUM_CPU_CLONES
void drop_values(const DropoutMask& mask, int64_t first, const uint16_t* values, int64_t count,
                 uint16_t* out) {
  drop(mask, first, values, count, out);
}

TRIVIUM_CPU_CLONES
void drop_values(const DropoutMask& mask, int64_t first, const float* values, int64_t count,
                 uint16_t* out) {
  drop(mask, first, values, count, out);
}

TRIVIUM_CPU_CLONES
void add_dropped_values(const DropoutMask& mask, int64_t first, const float* residual,
                        const float* values, int64_t count, float* out) {
  add_dropped(mask, first, residual, values, count, out);
}

TRIVIUM_CPU_CLONES
void add_dropped_values(const DropoutMask& mask, int64_t first, const float* residual,
                        const uint16_t* values, int64_t count, float* out) {
  add_dropped(mask, first, residual, values, count, out);
}

}  // namespace trivium
