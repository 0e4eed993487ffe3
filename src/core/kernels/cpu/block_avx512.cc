// Block kernels in AVX-512 F and BW (Skylake-X).
#if defined(__x86_64__)
#include "core/kernels/cpu/avx512_rows.h"

// The file is compiled for these instructions (CMakeLists.txt) and called only where they exist.
namespace trivium::cpu {
namespace {

template <int kRows>
void float32_rows(const float* const* rows, const float* weights, int64_t depth, float* out) {
  __m512 sums[kRows][2];
  for (int r = 0; r < kRows; ++r) sums[r][0] = sums[r][1] = _mm512_setzero_ps();
  for (int64_t k = 0; k < depth; ++k, weights += 32) {
    prefetch(weights);
    prefetch(weights + 16);
    const __m512 low = _mm512_load_ps(weights), high = _mm512_load_ps(weights + 16);
#pragma GCC unroll 14
    for (int r = 0; r < kRows; ++r) {
      const __m512 value = _mm512_set1_ps(rows[r][k]);
      sums[r][0] = _mm512_fmadd_ps(value, low, sums[r][0]);
      sums[r][1] = _mm512_fmadd_ps(value, high, sums[r][1]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    _mm512_storeu_ps(out + r * kBlock, sums[r][0]);
    _mm512_storeu_ps(out + r * kBlock + 16, sums[r][1]);
  }
}

// Rows are float32 (RowFormat::kFloat32); the weights are widened to it in registers, since these
// processors have no products of bfloat16.
template <int kRows>
void bfloat16_rows(const float* const* rows, const uint16_t* weights, int64_t depth, float* out) {
  __m512 sums[kRows][2];
  const __m512i second_half = _mm512_set1_epi32(-65536);
  for (int r = 0; r < kRows; ++r) sums[r][0] = sums[r][1] = _mm512_setzero_ps();
  for (int64_t k = 0; k < depth; k += 32, weights += 1024) {
    for (int64_t pair = 0; pair < 16; ++pair) {
      const uint16_t* low_place = weights + pair * 32;
      prefetch(low_place);
      prefetch(low_place + 512);
      const __m512i low = _mm512_load_si512(low_place), high = _mm512_load_si512(low_place + 512);
      __m512 low_part = _mm512_castsi512_ps(_mm512_slli_epi32(low, 16));
      __m512 high_part = _mm512_castsi512_ps(_mm512_slli_epi32(high, 16));
#pragma GCC unroll 14
      for (int r = 0; r < kRows; ++r) {
        const __m512 value = _mm512_set1_ps(rows[r][k + 2 * pair]);
        sums[r][0] = _mm512_fmadd_ps(value, low_part, sums[r][0]);
        sums[r][1] = _mm512_fmadd_ps(value, high_part, sums[r][1]);
      }
      low_part = _mm512_castsi512_ps(_mm512_and_si512(low, second_half));
      high_part = _mm512_castsi512_ps(_mm512_and_si512(high, second_half));
#pragma GCC unroll 14
      for (int r = 0; r < kRows; ++r) {
        const __m512 value = _mm512_set1_ps(rows[r][k + 2 * pair + 1]);
        sums[r][0] = _mm512_fmadd_ps(value, low_part, sums[r][0]);
        sums[r][1] = _mm512_fmadd_ps(value, high_part, sums[r][1]);
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    _mm512_storeu_ps(out + r * kBlock, sums[r][0]);
    _mm512_storeu_ps(out + r * kBlock + 16, sums[r][1]);
  }
}

// As AVX2's int8 kernel (block_avx2.cc), in registers twice as wide: rows are int16, weights are
// widened to it, and a register of sums has eight columns' [k even pair, k odd pair]. 16 columns at
// a time; `weights` and `out` point to their half of the group.
template <int kRows>
void int8_rows(const int16_t* const* rows, const int8_t* weights, int64_t depth, int32_t* out) {
  __m512i sums[kRows][2];
  for (int r = 0; r < kRows; ++r) sums[r][0] = sums[r][1] = _mm512_setzero_si512();
  for (int64_t k = 0; k < depth; k += 64, weights += 2048) {
    for (int64_t quad = 0; quad < 16; ++quad) {
      const auto* place = reinterpret_cast<const __m256i*>(weights + quad * 64);
      prefetch(place);
      const __m512i low = _mm512_cvtepi8_epi16(_mm256_load_si256(place));
      const __m512i high = _mm512_cvtepi8_epi16(_mm256_load_si256(place + 1));
#pragma GCC unroll 14
      for (int r = 0; r < kRows; ++r) {
        const __m512i value =
            _mm512_set1_epi64(*reinterpret_cast<const long long*>(rows[r] + k + 4 * quad));
        sums[r][0] = _mm512_add_epi32(sums[r][0], _mm512_madd_epi16(value, low));
        sums[r][1] = _mm512_add_epi32(sums[r][1], _mm512_madd_epi16(value, high));
      }
    }
  }
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
  for (int r = 0; r < kRows; ++r) {
    const __m512i first = _mm512_permutex2var_epi32(sums[r][0], even, sums[r][1]);
    const __m512i second = _mm512_permutex2var_epi32(sums[r][0], odd, sums[r][1]);
    _mm512_storeu_si512(out + r * kBlock, _mm512_add_epi32(first, second));
  }
}

}  // namespace

void float32_avx512(const BlockInput& input, const std::byte* group, int64_t depth, const int32_t*,
                    void* out) {
  const RowPointers<float> pointers(input);
  in_pieces(input.count, [&]<int kRows>(int64_t first) {
    float32_rows<kRows>(pointers.rows + first, reinterpret_cast<const float*>(group), depth,
                        static_cast<float*>(out) + first * kBlock);
  });
}

void bfloat16_avx512(const BlockInput& input, const std::byte* group, int64_t depth, const int32_t*,
                     void* out) {
  const RowPointers<float> pointers(input);
  in_pieces(input.count, [&]<int kRows>(int64_t first) {
    bfloat16_rows<kRows>(pointers.rows + first, reinterpret_cast<const uint16_t*>(group), depth,
                         static_cast<float*>(out) + first * kBlock);
  });
}

void int8_avx512(const BlockInput& input, const std::byte* group, int64_t depth, const int32_t*,
                 void* out) {
  const RowPointers<int16_t> pointers(input);
  in_pieces(input.count, [&]<int kRows>(int64_t first) {
    for (int64_t half = 0; half < 2; ++half) {
      int8_rows<kRows>(pointers.rows + first, reinterpret_cast<const int8_t*>(group) + half * 1024,
                       depth, static_cast<int32_t*>(out) + first * kBlock + half * 16);
    }
  });
}

}  // namespace trivium::cpu
#endif
