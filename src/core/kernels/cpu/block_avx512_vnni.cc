// Block kernels with AVX-512 VNNI (Ice Lake): the products of int8.
#if defined(__x86_64__)
#include "core/kernels/cpu/avx512_rows.h"

// The file is compiled for these instructions (CMakeLists.txt) and called only where they exist.
namespace trivium::cpu {
namespace {

// vpdpbusd multiplies unsigned by signed bytes: the activations get 128 added, and 128 times the
// column's sum is taken off at the end.
template <int kRows>
void int8_rows(const int8_t* const* rows, const int8_t* weights, int64_t depth,
               const int32_t* column_sums, int32_t* out) {
  __m512i sums[kRows][2];
  const __m512i low_offset = _mm512_slli_epi32(_mm512_loadu_si512(column_sums), 7);
  const __m512i high_offset = _mm512_slli_epi32(_mm512_loadu_si512(column_sums + 16), 7);
  for (int r = 0; r < kRows; ++r) {
    sums[r][0] = _mm512_sub_epi32(_mm512_setzero_si512(), low_offset);
    sums[r][1] = _mm512_sub_epi32(_mm512_setzero_si512(), high_offset);
  }
  for (int64_t k = 0; k < depth; k += 64, weights += 2048) {
    for (int64_t quad = 0; quad < 16; ++quad) {
      const int8_t* low_place = weights + quad * 64;
      prefetch(low_place);
      prefetch(low_place + 1024);
      const __m512i low = _mm512_load_si512(low_place);
      const __m512i high = _mm512_load_si512(low_place + 1024);
#pragma GCC unroll 14
      for (int r = 0; r < kRows; ++r) {
        const int32_t four = *reinterpret_cast<const int32_t*>(rows[r] + k + 4 * quad);
        const __m512i value = _mm512_set1_epi32(four ^ static_cast<int32_t>(0x80808080u));
        sums[r][0] = _mm512_dpbusd_epi32(sums[r][0], value, low);
        sums[r][1] = _mm512_dpbusd_epi32(sums[r][1], value, high);
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    _mm512_storeu_si512(out + r * kBlock, sums[r][0]);
    _mm512_storeu_si512(out + r * kBlock + 16, sums[r][1]);
  }
}

}  // namespace

void int8_avx512_vnni(const BlockInput& input, const std::byte* group, int64_t depth,
                      const int32_t* column_sums, void* out) {
  const RowPointers<int8_t> pointers(input);
  in_pieces(input.count, [&]<int kRows>(int64_t first) {
    int8_rows<kRows>(pointers.rows + first, reinterpret_cast<const int8_t*>(group), depth,
                     column_sums, static_cast<int32_t*>(out) + first * kBlock);
  });
}

}  // namespace trivium::cpu
#endif
