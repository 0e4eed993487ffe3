// Block kernels with AVX-512 BF16 (Cooper Lake, Zen 4): the products of bfloat16.
#if defined(__x86_64__)
#include "core/kernels/cpu/avx512_rows.h"

// The file is compiled for these instructions (CMakeLists.txt) and called only where they exist.
namespace trivium::cpu {
namespace {

inline __m512i pair_at(const uint16_t* row, int64_t k) {
  return _mm512_set1_epi32(*reinterpret_cast<const int32_t*>(row + k));
}

template <int kRows>
void bfloat16_rows(const uint16_t* const* rows, const uint16_t* weights, int64_t depth,
                   float* out) {
  __m512 sums[kRows][2];
  for (int r = 0; r < kRows; ++r) sums[r][0] = sums[r][1] = _mm512_setzero_ps();
  for (int64_t k = 0; k < depth; k += 32, weights += 1024) {
    for (int64_t pair = 0; pair < 16; ++pair) {
      const uint16_t* low_place = weights + pair * 32;
      prefetch(low_place);
      prefetch(low_place + 512);
      const auto low = (__m512bh)_mm512_load_si512(low_place);
      const auto high = (__m512bh)_mm512_load_si512(low_place + 512);
#pragma GCC unroll 14
      for (int r = 0; r < kRows; ++r) {
        const auto value = (__m512bh)pair_at(rows[r], k + 2 * pair);
        sums[r][0] = _mm512_dpbf16_ps(sums[r][0], value, low);
        sums[r][1] = _mm512_dpbf16_ps(sums[r][1], value, high);
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    _mm512_storeu_ps(out + r * kBlock, sums[r][0]);
    _mm512_storeu_ps(out + r * kBlock + 16, sums[r][1]);
  }
}

}  // namespace

void bfloat16_avx512_bf16(const BlockInput& input, const std::byte* group, int64_t depth,
                          const int32_t*, void* out) {
  const RowPointers<uint16_t> pointers(input);
  in_pieces(input.count, [&]<int kRows>(int64_t first) {
    bfloat16_rows<kRows>(pointers.rows + first, reinterpret_cast<const uint16_t*>(group), depth,
                         static_cast<float*>(out) + first * kBlock);
  });
}

}  // namespace trivium::cpu
#endif
