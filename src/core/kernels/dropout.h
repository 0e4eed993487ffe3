// Dropout whose mask is a function of a key and an element's number: it is never stored, any thread
// makes its part of it, and a backward pass makes it again.
#pragma once

#include <cstdint>

namespace trivium {

struct DropoutMask {
  // Drops elements with the probability `rate` in [0, 1), rounded to 2^-32, and scales the others
  // by 1 / (1 - rate).
  DropoutMask(double rate, uint64_t key);

  uint32_t key_low, key_high;
  uint32_t first_kept;  // of an element's 32 random bits
  float scale;
};

// out = mask * values, of elements first..first + count - 1; `out` may be `values`.
void drop_values(const DropoutMask& mask, int64_t first, const float* values, int64_t count,
                 float* out);
void drop_values(const DropoutMask& mask, int64_t first, const uint16_t* values, int64_t count,
                 uint16_t* out);  // bfloat16
void drop_values(const DropoutMask& mask, int64_t first, const float* values, int64_t count,
                 uint16_t* out);

// out = residual + mask * values.
void add_dropped_values(const DropoutMask& mask, int64_t first, const float* residual,
                        const float* values, int64_t count, float* out);
void add_dropped_values(const DropoutMask& mask, int64_t first, const float* residual,
                        const uint16_t* values, int64_t count, float* out);

}  // namespace trivium
