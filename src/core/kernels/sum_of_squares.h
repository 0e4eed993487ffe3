// The squared length of an array, for clipping gradients.
#pragma once

#include <cstdint>

namespace trivium {

// In float32 over 1024 values at a time, in double over these.
double sum_of_squares(const float* values, int64_t count);

}  // namespace trivium
