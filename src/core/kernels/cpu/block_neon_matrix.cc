// Block kernels with Arm's matrix products (I8MM, BF16): two rows by two columns at a time.
#if defined(__aarch64__)
#include "core/kernels/cpu/neon_pieces.h"

// The file is compiled for these instructions (CMakeLists.txt) and called only where they exist.
namespace trivium::cpu {
namespace {

// Two runs of four columns' 4 bytes become two columns' 8 bytes each.
struct ColumnPairs {
  uint32x4_t first, second;

  ColumnPairs(const std::byte* run, const std::byte* next_run) {
    const uint32x4_t low = vld1q_u32(reinterpret_cast<const uint32_t*>(run));
    const uint32x4_t high = vld1q_u32(reinterpret_cast<const uint32_t*>(next_run));
    first = vzip1q_u32(low, high);
    second = vzip2q_u32(low, high);
  }
};

// 8 bytes each of two rows.
inline uint64x2_t row_pair(const std::byte* first, const std::byte* second) {
  return vcombine_u64(vld1_u64(reinterpret_cast<const uint64_t*>(first)),
                      vld1_u64(reinterpret_cast<const uint64_t*>(second)));
}

inline int32x4_t multiply(int32x4_t sums, uint64x2_t rows, uint32x4_t columns) {
  return vmmlaq_s32(sums, vreinterpretq_s8_u64(rows), vreinterpretq_s8_u32(columns));
}
inline float32x4_t multiply(float32x4_t sums, uint64x2_t rows, uint32x4_t columns) {
  return vbfmmlaq_f32(sums, vreinterpretq_bf16_u64(rows), vreinterpretq_bf16_u32(columns));
}

// 4 rows of one half of a group. int8 and bfloat16 have one layout in bytes: runs of 64 bytes, four
// for each of 16 columns, and 16 runs a tile.
template <typename Sums, typename Sum>
void tile(const TileRows<std::byte>& rows, const std::byte* weights, int64_t row_bytes, Sum* out) {
  Sums sums[2][8] = {};  // [pair of rows][pair of columns]: [row][column] of both
  for (int64_t start = 0; start < row_bytes; start += 64, weights += 2048) {
    for (int64_t run = 0; run < 16; run += 2) {
      const int64_t place = start + 4 * run;
      const uint64x2_t top = row_pair(rows.rows[0] + place, rows.rows[1] + place);
      const uint64x2_t bottom = row_pair(rows.rows[2] + place, rows.rows[3] + place);
      const std::byte* columns = weights + run * 64;
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) {
        const ColumnPairs pairs(columns + 16 * v, columns + 64 + 16 * v);
        sums[0][2 * v] = multiply(sums[0][2 * v], top, pairs.first);
        sums[0][2 * v + 1] = multiply(sums[0][2 * v + 1], top, pairs.second);
        sums[1][2 * v] = multiply(sums[1][2 * v], bottom, pairs.first);
        sums[1][2 * v + 1] = multiply(sums[1][2 * v + 1], bottom, pairs.second);
      }
    }
  }
  for (int r = 0; r < rows.count; ++r) {
    for (int c = 0; c < 16; ++c) out[r * kBlock + c] = sums[r / 2][c / 2][r % 2 * 2 + c % 2];
  }
}

}  // namespace

void int8_neon_matrix(const BlockInput& input, const std::byte* group, int64_t depth,
                      const int32_t*, void* out) {
  in_tiles<std::byte, int32_t>(input, out,
                               [&](const TileRows<std::byte>& rows, int64_t half, int32_t* place) {
                                 tile<int32x4_t>(rows, group + half * 1024, depth, place);
                               });
}

void bfloat16_neon_matrix(const BlockInput& input, const std::byte* group, int64_t depth,
                          const int32_t*, void* out) {
  in_tiles<std::byte, float>(input, out,
                             [&](const TileRows<std::byte>& rows, int64_t half, float* place) {
                               tile<float32x4_t>(rows, group + half * 1024, 2 * depth, place);
                             });
}

}  // namespace trivium::cpu
#endif
