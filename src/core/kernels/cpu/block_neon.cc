// Block kernels in NEON, which every 64-bit Arm processor has.
#if defined(__aarch64__)
#include "core/kernels/cpu/neon_pieces.h"

namespace trivium::cpu {
namespace {

void float32_tile(const TileRows<float>& rows, const float* weights, int64_t depth, float* out) {
  float32x4_t sums[kTileRows][4];
  for (auto& row : sums) row[0] = row[1] = row[2] = row[3] = vdupq_n_f32(0);
  for (int64_t k = 0; k < depth; ++k, weights += kBlock) {
    const float32x4_t columns[4] = {vld1q_f32(weights), vld1q_f32(weights + 4),
                                    vld1q_f32(weights + 8), vld1q_f32(weights + 12)};
#pragma GCC unroll 4
    for (int r = 0; r < kTileRows; ++r) {
      const float32x4_t value = vld1q_dup_f32(rows.rows[r] + k);
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) sums[r][v] = vfmaq_f32(sums[r][v], value, columns[v]);
    }
  }
  for (int r = 0; r < rows.count; ++r) {
    for (int v = 0; v < 4; ++v) vst1q_f32(out + r * kBlock + 4 * v, sums[r][v]);
  }
}

// Rows are float32 (RowFormat::kFloat32); the weights are widened to it in registers.
void bfloat16_tile(const TileRows<float>& rows, const uint16_t* weights, int64_t depth,
                   float* out) {
  float32x4_t sums[kTileRows][4];
  for (auto& row : sums) row[0] = row[1] = row[2] = row[3] = vdupq_n_f32(0);
  const uint32x4_t second_half = vdupq_n_u32(0xFFFF0000u);
  for (int64_t start = 0; start < depth; start += 32, weights += 1024) {
    for (int64_t pair = 0; pair < 16; ++pair) {
      const int64_t k = start + 2 * pair;
      uint32x4_t pairs[4];
      for (int v = 0; v < 4; ++v) {
        pairs[v] = vreinterpretq_u32_u16(vld1q_u16(weights + pair * 32 + 8 * v));
      }
#pragma GCC unroll 4
      for (int r = 0; r < kTileRows; ++r) {
        const float32x4_t first = vld1q_dup_f32(rows.rows[r] + k);
        const float32x4_t second = vld1q_dup_f32(rows.rows[r] + k + 1);
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) {
          const float32x4_t low = vreinterpretq_f32_u32(vshlq_n_u32(pairs[v], 16));
          const float32x4_t high = vreinterpretq_f32_u32(vandq_u32(pairs[v], second_half));
          sums[r][v] = vfmaq_f32(vfmaq_f32(sums[r][v], first, low), second, high);
        }
      }
    }
  }
  for (int r = 0; r < rows.count; ++r) {
    for (int v = 0; v < 4; ++v) vst1q_f32(out + r * kBlock + 4 * v, sums[r][v]);
  }
}

// Products of two int8 fit into 16 bits, and so do sums of two neighbours: values lie within -127
// and 127 (Activations, PackedMatrix), and 2 * 127 * 127 = 32258.
void int8_tile(const TileRows<int8_t>& rows, const int8_t* weights, int64_t depth, int32_t* out) {
  int32x4_t sums[kTileRows][4];
  for (auto& row : sums) row[0] = row[1] = row[2] = row[3] = vdupq_n_s32(0);
  for (int64_t start = 0; start < depth; start += 64, weights += 2048) {
    for (int64_t quad = 0; quad < 16; ++quad) {
      const int64_t k = start + 4 * quad;
      int8x16_t columns[4];
      for (int v = 0; v < 4; ++v) columns[v] = vld1q_s8(weights + quad * 64 + 16 * v);
#pragma GCC unroll 4
      for (int r = 0; r < kTileRows; ++r) {
        const int8x16_t value =
            vreinterpretq_s8_s32(vld1q_dup_s32(reinterpret_cast<const int32_t*>(rows.rows[r] + k)));
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) {
          const int16x8_t low = vmull_s8(vget_low_s8(columns[v]), vget_low_s8(value));
          const int16x8_t high = vmull_high_s8(columns[v], value);
          sums[r][v] = vpadalq_s16(sums[r][v], vpaddq_s16(low, high));
        }
      }
    }
  }
  for (int r = 0; r < rows.count; ++r) {
    for (int v = 0; v < 4; ++v) vst1q_s32(out + r * kBlock + 4 * v, sums[r][v]);
  }
}

}  // namespace

void float32_neon(const BlockInput& input, const std::byte* group, int64_t depth, const int32_t*,
                  void* out) {
  const auto* weights = reinterpret_cast<const float*>(group);
  in_tiles<float, float>(input, out, [&](const TileRows<float>& rows, int64_t half, float* place) {
    float32_tile(rows, weights + half * 16, depth, place);
  });
}

void bfloat16_neon(const BlockInput& input, const std::byte* group, int64_t depth, const int32_t*,
                   void* out) {
  const auto* weights = reinterpret_cast<const uint16_t*>(group);
  in_tiles<float, float>(input, out, [&](const TileRows<float>& rows, int64_t half, float* place) {
    bfloat16_tile(rows, weights + half * 512, depth, place);
  });
}

void int8_neon(const BlockInput& input, const std::byte* group, int64_t depth, const int32_t*,
               void* out) {
  const auto* weights = reinterpret_cast<const int8_t*>(group);
  in_tiles<int8_t, int32_t>(input, out,
                            [&](const TileRows<int8_t>& rows, int64_t half, int32_t* place) {
                              int8_tile(rows, weights + half * 1024, depth, place);
                            });
}

}  // namespace trivium::cpu
#endif
