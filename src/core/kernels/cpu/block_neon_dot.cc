// Block kernels with Arm's dot products: int8, four products a lane.
#if defined(__aarch64__)
#include "core/kernels/cpu/neon_pieces.h"

// The file is compiled for these instructions (CMakeLists.txt) and called only where they exist.
namespace trivium::cpu {
namespace {

// Adds the products of quad kLane of 16 values of a row.
template <int kLane>
inline void add_quad(const int8_t* weights, const int8x16_t* values, int32x4_t (*sums)[4]) {
#pragma GCC unroll 4
  for (int v = 0; v < 4; ++v) {
    const int8x16_t columns = vld1q_s8(weights + kLane * 64 + 16 * v);
#pragma GCC unroll 4
    for (int r = 0; r < kTileRows; ++r) {
      sums[r][v] = vdotq_laneq_s32(sums[r][v], columns, values[r], kLane);
    }
  }
}

void int8_tile(const TileRows<int8_t>& rows, const int8_t* weights, int64_t depth, int32_t* out) {
  int32x4_t sums[kTileRows][4];
  for (auto& row : sums) row[0] = row[1] = row[2] = row[3] = vdupq_n_s32(0);
  for (int64_t k = 0; k < depth; k += 16) {
    const int8_t* place = weights + k / 64 * 2048 + k % 64 / 4 * 64;
    int8x16_t values[kTileRows];
    for (int r = 0; r < kTileRows; ++r) values[r] = vld1q_s8(rows.rows[r] + k);
    add_quad<0>(place, values, sums);
    add_quad<1>(place, values, sums);
    add_quad<2>(place, values, sums);
    add_quad<3>(place, values, sums);
  }
  for (int r = 0; r < rows.count; ++r) {
    for (int v = 0; v < 4; ++v) vst1q_s32(out + r * kBlock + 4 * v, sums[r][v]);
  }
}

}  // namespace

void int8_neon_dot(const BlockInput& input, const std::byte* group, int64_t depth, const int32_t*,
                   void* out) {
  const auto* weights = reinterpret_cast<const int8_t*>(group);
  in_tiles<int8_t, int32_t>(input, out,
                            [&](const TileRows<int8_t>& rows, int64_t half, int32_t* place) {
                              int8_tile(rows, weights + half * 1024, depth, place);
                            });
}

}  // namespace trivium::cpu
#endif
