// Arrays of float32 as bfloat16, and back. Both directions run at the memory's speed.
#pragma once

#include <cstdint>

namespace trivium {

// Rounds `count` values to the nearest bfloat16, ties to even.
void narrow_to_bfloat16(const float* values, int64_t count, uint16_t* out);

// The same, but stored as float32.
void round_to_bfloat16(const float* values, int64_t count, float* out);

// Exact.
void widen_from_bfloat16(const uint16_t* values, int64_t count, float* out);

}  // namespace trivium
