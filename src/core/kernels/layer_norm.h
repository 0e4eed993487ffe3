// LayerNorm of one row.
#pragma once

#include <cstdint>

namespace trivium {

// out = (in - mean) / sqrt(variance + eps) * gamma + beta over `count` values; `out` may be `in`.
// Mean and variance in two passes, float32 in 16 partial sums.
void layer_norm_row(const float* in, int64_t count, const float* gamma, const float* beta,
                    float eps, float* out);

}  // namespace trivium
