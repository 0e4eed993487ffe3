// Block kernels in AVX-512 registers: 14 rows by 32 columns at a time, so that 28 of the 32
// registers are sums, 2 are weights, and a row's value comes from memory as a broadcast operand.
#if defined(__x86_64__)
#include <immintrin.h>

#include "core/kernels/block_kernels.h"

// The file is compiled for these instructions (CMakeLists.txt) and called only where they exist.
namespace trivium::cpu {
namespace {

constexpr int kMaxRows = 14;
// Ahead of the weights now read, into the second-level and the first-level cache; groups follow
// each other.
constexpr int64_t kFarBytes = 8192, kNearBytes = 2048;

inline void prefetch(const void* weights) {
  _mm_prefetch(static_cast<const char*>(weights) + kFarBytes, _MM_HINT_T1);
  _mm_prefetch(static_cast<const char*>(weights) + kNearBytes, _MM_HINT_T0);
}

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

// Calls body.template operator()<n>(first) for pieces of at most kMaxRows rows.
template <typename Body>
void in_pieces(int64_t count, Body&& body) {
  for (int64_t first = 0; first < count; first += kMaxRows) {
    switch (count - first) {
      case 1:
        body.template operator()<1>(first);
        break;
      case 2:
        body.template operator()<2>(first);
        break;
      case 3:
        body.template operator()<3>(first);
        break;
      case 4:
        body.template operator()<4>(first);
        break;
      case 5:
        body.template operator()<5>(first);
        break;
      case 6:
        body.template operator()<6>(first);
        break;
      case 7:
        body.template operator()<7>(first);
        break;
      case 8:
        body.template operator()<8>(first);
        break;
      case 9:
        body.template operator()<9>(first);
        break;
      case 10:
        body.template operator()<10>(first);
        break;
      case 11:
        body.template operator()<11>(first);
        break;
      case 12:
        body.template operator()<12>(first);
        break;
      case 13:
        body.template operator()<13>(first);
        break;
      default:
        body.template operator()<kMaxRows>(first);
        break;
    }
  }
}

template <typename T>
struct RowPointers {
  const T* rows[kBlock];
  explicit RowPointers(const BlockInput& input) {
    for (int64_t r = 0; r < input.count; ++r) {
      rows[r] = reinterpret_cast<const T*>(static_cast<const std::byte*>(input.rows) +
                                           r * input.row_bytes);
    }
  }
};

void float32_block(const BlockInput& input, const std::byte* group, int64_t depth, const int32_t*,
                   void* out) {
  const RowPointers<float> pointers(input);
  in_pieces(input.count, [&]<int kRows>(int64_t first) {
    float32_rows<kRows>(pointers.rows + first, reinterpret_cast<const float*>(group), depth,
                        static_cast<float*>(out) + first * kBlock);
  });
}

void bfloat16_block(const BlockInput& input, const std::byte* group, int64_t depth, const int32_t*,
                    void* out) {
  const RowPointers<uint16_t> pointers(input);
  in_pieces(input.count, [&]<int kRows>(int64_t first) {
    bfloat16_rows<kRows>(pointers.rows + first, reinterpret_cast<const uint16_t*>(group), depth,
                         static_cast<float*>(out) + first * kBlock);
  });
}

void int8_block(const BlockInput& input, const std::byte* group, int64_t depth,
                const int32_t* column_sums, void* out) {
  const RowPointers<int8_t> pointers(input);
  in_pieces(input.count, [&]<int kRows>(int64_t first) {
    int8_rows<kRows>(pointers.rows + first, reinterpret_cast<const int8_t*>(group), depth,
                     column_sums, static_cast<int32_t*>(out) + first * kBlock);
  });
}

}  // namespace

const BlockKernels kAvx512Kernels = {float32_block, bfloat16_block, int8_block};

}  // namespace trivium::cpu
#endif
