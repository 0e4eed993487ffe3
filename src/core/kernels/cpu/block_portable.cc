// Block kernels in plain C++, for any processor.
#include <cstring>

#include "core/kernels/block_kernels.h"
#include "core/kernels/elementary.h"

namespace trivium::cpu {

void float32_portable(const BlockInput& input, const std::byte* group, int64_t depth,
                      const int32_t*, void* out) {
  const auto* weights = reinterpret_cast<const float*>(group);
  for (int64_t r = 0; r < input.count; ++r) {
    const auto* row = reinterpret_cast<const float*>(static_cast<const std::byte*>(input.rows) +
                                                     r * input.row_bytes);
    float sums[kBlock] = {};
    for (int64_t k = 0; k < depth; ++k) {
      const float value = row[k];
      for (int64_t c = 0; c < kBlock; ++c) sums[c] += value * weights[k * kBlock + c];
    }
    std::memcpy(static_cast<float*>(out) + r * kBlock, sums, sizeof(sums));
  }
}

void bfloat16_portable(const BlockInput& input, const std::byte* group, int64_t depth,
                       const int32_t*, void* out) {
  for (int64_t r = 0; r < input.count; ++r) {
    const auto* row = reinterpret_cast<const uint16_t*>(static_cast<const std::byte*>(input.rows) +
                                                        r * input.row_bytes);
    const auto* weights = reinterpret_cast<const uint16_t*>(group);
    float sums[kBlock] = {};
    for (int64_t k = 0; k < depth; k += 32) {
      for (int64_t half = 0; half < 2; ++half) {
        for (int64_t pair = 0; pair < 16; ++pair, weights += 32) {
          const float first = from_bfloat16(row[k + 2 * pair]);
          const float second = from_bfloat16(row[k + 2 * pair + 1]);
          for (int64_t c = 0; c < 16; ++c) {
            sums[half * 16 + c] +=
                first * from_bfloat16(weights[2 * c]) + second * from_bfloat16(weights[2 * c + 1]);
          }
        }
      }
    }
    std::memcpy(static_cast<float*>(out) + r * kBlock, sums, sizeof(sums));
  }
}

void int8_portable(const BlockInput& input, const std::byte* group, int64_t depth, const int32_t*,
                   void* out) {
  for (int64_t r = 0; r < input.count; ++r) {
    const auto* row = reinterpret_cast<const int8_t*>(static_cast<const std::byte*>(input.rows) +
                                                      r * input.row_bytes);
    const auto* weights = reinterpret_cast<const int8_t*>(group);
    int32_t sums[kBlock] = {};
    for (int64_t k = 0; k < depth; k += 64) {
      for (int64_t half = 0; half < 2; ++half) {
        for (int64_t quad = 0; quad < 16; ++quad, weights += 64) {
          for (int64_t c = 0; c < 16; ++c) {
            int32_t sum = 0;
            for (int64_t i = 0; i < 4; ++i) {
              sum += static_cast<int32_t>(row[k + 4 * quad + i]) *
                     static_cast<int32_t>(weights[4 * c + i]);
            }
            sums[half * 16 + c] += sum;
          }
        }
      }
    }
    std::memcpy(static_cast<int32_t*>(out) + r * kBlock, sums, sizeof(sums));
  }
}

}  // namespace trivium::cpu
