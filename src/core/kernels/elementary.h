// Elementary functions without branches, tables or calls, so that loops over them become vector
// code. For the CPU kernels and for search; inlined into whatever instruction set the caller has.
#pragma once

#include <bit>
#include <cstdint>

namespace trivium {

#define TRIVIUM_ALWAYS_INLINE inline __attribute__((always_inline))

// exp(x) for x <= 0 to 2 units in the last place: 2^n times a polynomial in the rest (coefficients
// of Cephes' expf). NaN gives NaN; below -87 it stays at exp(-87).
TRIVIUM_ALWAYS_INLINE float exp_of_nonpositive(float x) {
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

// x * Phi(x), exact GELU. erfc from Abramowitz and Stegun 7.1.26, whose error is at most 1.5e-7;
// GELU's is at most |x| * 0.75e-7 and the rounding of a few float operations.
TRIVIUM_ALWAYS_INLINE float gelu(float x) {
  const float z = (x < 0 ? -x : x) * 0.70710678118f;
  const float t = 1.0f / (1.0f + 0.3275911f * z);
  float p = 1.061405429f;
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  const float half_erfc = 0.5f * p * t * exp_of_nonpositive(-z * z);
  return x * (x < 0 ? half_erfc : 1.0f - half_erfc);
}

// To the nearest bfloat16, ties to even. NaN may become infinity: logits are checked for both.
TRIVIUM_ALWAYS_INLINE uint16_t to_bfloat16(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  return static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

TRIVIUM_ALWAYS_INLINE float from_bfloat16(uint16_t x) {
  return std::bit_cast<float>(static_cast<uint32_t>(x) << 16);
}

// Loops over float32 or bfloat16 numbers are written once, with these.
TRIVIUM_ALWAYS_INLINE float value_of(float value) { return value; }
TRIVIUM_ALWAYS_INLINE float value_of(uint16_t value) { return from_bfloat16(value); }
TRIVIUM_ALWAYS_INLINE void store(float value, float& place) { place = value; }
TRIVIUM_ALWAYS_INLINE void store(float value, uint16_t& place) { place = to_bfloat16(value); }

}  // namespace trivium
