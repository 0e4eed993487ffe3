// Block kernels with AVX-VNNI (Alder Lake and later, where AVX-512 is missing): the products of
// int8.
#if defined(__x86_64__)
#include <immintrin.h>

#include "core/kernels/cpu/avx2_pieces.h"

// The file is compiled for these instructions (CMakeLists.txt) and called only where they exist.
namespace trivium::cpu {
namespace {

// vpdpbusd multiplies unsigned by signed bytes: the activations get 128 added, and 128 times the
// column's sum is taken off at the end. 16 columns from `weights` on, a half of a group.
template <int kRows>
void int8_tile(const std::byte* rows, int64_t stride, const int8_t* weights, int64_t depth,
               const int32_t* column_sums, bool goes_on, Ahead ahead, int32_t* out) {
  __m256i sums[kRows][2];
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < 2; ++v) {
      const auto* before = reinterpret_cast<const __m256i*>(out + r * kBlock + 8 * v);
      const auto* column = reinterpret_cast<const __m256i*>(column_sums + 8 * v);
      sums[r][v] = goes_on ? _mm256_load_si256(before)
                           : _mm256_sub_epi32(_mm256_setzero_si256(),
                                              _mm256_slli_epi32(_mm256_loadu_si256(column), 7));
    }
  }
  const int8_t* row[kRows];
  for (int r = 0; r < kRows; ++r) row[r] = row_at<int8_t>(rows, stride, r);
  for (int64_t start = 0; start < depth; start += 64, weights += 2048) {
    const int8_t* place = weights;
    for (int64_t k = start; k < start + 64; k += 4, place += 64) {
      ahead.ask();
      const __m256i low = _mm256_load_si256(reinterpret_cast<const __m256i*>(place));
      const __m256i high = _mm256_load_si256(reinterpret_cast<const __m256i*>(place + 32));
#pragma GCC unroll 6
      for (int r = 0; r < kRows; ++r) {
        const int32_t four = *reinterpret_cast<const int32_t*>(row[r] + k);
        const __m256i value = _mm256_set1_epi32(four ^ static_cast<int32_t>(0x80808080u));
        sums[r][0] = _mm256_dpbusd_avx_epi32(sums[r][0], value, low);
        sums[r][1] = _mm256_dpbusd_avx_epi32(sums[r][1], value, high);
        settle(sums[r][0], sums[r][1]);
      }
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(out + r * kBlock), sums[r][0]);
    _mm256_store_si256(reinterpret_cast<__m256i*>(out + r * kBlock + 8), sums[r][1]);
  }
}

}  // namespace

void int8_avx_vnni(const BlockInput& input, const std::byte* group, int64_t depth,
                   const int32_t* column_sums, void* out) {
  const auto* rows = static_cast<const std::byte*>(input.rows);
  const auto* weights = reinterpret_cast<const int8_t*>(group);
  auto* sums = static_cast<int32_t*>(out);
  const int64_t stride = input.row_bytes;
  in_depth_pieces(depth, kInt8Piece, [&](int64_t start, int64_t length) {
    in_row_pieces(input.count, [&]<int kRows>(const RowPiece& piece) {
      for (int64_t half = 0; half < 2; ++half) {
        const Ahead ahead(weights + start * kBlock, length * kBlock, 2 * piece.index + half,
                          2 * piece.count, length / 4);
        int8_tile<kRows>(rows + piece.first * stride + start, stride,
                         weights + start * kBlock + half * 1024, length, column_sums + half * 16,
                         start > 0, ahead, sums + piece.first * kBlock + half * 16);
      }
    });
  });
}

}  // namespace trivium::cpu
#endif
