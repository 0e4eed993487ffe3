// Block kernels in AVX2's 16 registers: 12 of them are sums (6 rows by two registers of columns, or
// up to 3 rows by four), so that as many independent additions are under way as the processor can
// begin while one lasts. Depth is cut into pieces whose weights stay in the first-level cache while
// all rows pass by; a row's sum goes on where the piece before left it, so that the order of
// summation is the plain one over k, whatever the number of rows.
#if defined(__x86_64__)
#include "core/kernels/cpu/avx2_pieces.h"

// The file is compiled for these instructions (CMakeLists.txt) and called only where they exist.
namespace trivium::cpu {
namespace {

constexpr int64_t kFloatPiece = 128;     // 16 KiB of float32 weights
constexpr int64_t kBfloat16Piece = 256;  // 16 KiB

// Ahead of the weights that one to three rows read, a group in one go, into the first-level cache.
constexpr int64_t kNearBytes = 2048;

inline void ask_near(const float* weights) {
  const char* place = reinterpret_cast<const char*>(weights) + kNearBytes;
  _mm_prefetch(place, _MM_HINT_T0);
  _mm_prefetch(place + 64, _MM_HINT_T0);
}

// One piece of depth: kRows rows by kVectors registers of 8 columns. `goes_on`: adds to `out`.
template <int kRows, int kVectors, typename Ask>
void float32_tile(const std::byte* rows, int64_t stride, const float* weights, int64_t depth,
                  bool goes_on, Ask ask, float* out) {
  __m256 sums[kRows][kVectors];
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      sums[r][v] = goes_on ? _mm256_load_ps(out + r * kBlock + 8 * v) : _mm256_setzero_ps();
    }
  }
  const float* row[kRows];
  for (int r = 0; r < kRows; ++r) row[r] = row_at<float>(rows, stride, r);
  for (int64_t k = 0; k < depth; ++k, weights += kBlock) {
    ask(weights);
    if constexpr (kVectors == 4) {
      __m256 value[kRows];
#pragma GCC unroll 6
      for (int r = 0; r < kRows; ++r) value[r] = _mm256_broadcast_ss(row[r] + k);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const __m256 column = _mm256_load_ps(weights + 8 * v);
#pragma GCC unroll 6
        for (int r = 0; r < kRows; ++r) sums[r][v] = _mm256_fmadd_ps(value[r], column, sums[r][v]);
      }
    } else {
      const __m256 low = _mm256_load_ps(weights), high = _mm256_load_ps(weights + 8);
#pragma GCC unroll 6
      for (int r = 0; r < kRows; ++r) {
        const __m256 value = _mm256_broadcast_ss(row[r] + k);
        sums[r][0] = _mm256_fmadd_ps(value, low, sums[r][0]);
        sums[r][1] = _mm256_fmadd_ps(value, high, sums[r][1]);
        settle(sums[r][0], sums[r][1]);
      }
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) _mm256_store_ps(out + r * kBlock + 8 * v, sums[r][v]);
  }
}

// Eight columns' weights of two neighbouring k, as float32 of each.
inline __m256 first_of_pairs(__m256i pairs) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
}
inline __m256 second_of_pairs(__m256i pairs) {
  return _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(-65536)));
}

// Rows are float32 (RowFormat::kFloat32). `weights`: 16 columns, a half of a group.
template <int kRows>
void bfloat16_tile(const std::byte* rows, int64_t stride, const uint16_t* weights, int64_t depth,
                   bool goes_on, Ahead ahead, float* out) {
  __m256 sums[kRows][2];
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
    sums[r][0] = goes_on ? _mm256_load_ps(out + r * kBlock) : _mm256_setzero_ps();
    sums[r][1] = goes_on ? _mm256_load_ps(out + r * kBlock + 8) : _mm256_setzero_ps();
  }
  const float* row[kRows];
  for (int r = 0; r < kRows; ++r) row[r] = row_at<float>(rows, stride, r);
  for (int64_t start = 0; start < depth; start += 32, weights += 1024) {
    const uint16_t* place = weights;
    for (int64_t k = start; k < start + 32; k += 2, place += 32) {
      ahead.ask();
      const __m256i low = _mm256_load_si256(reinterpret_cast<const __m256i*>(place));
      const __m256i high = _mm256_load_si256(reinterpret_cast<const __m256i*>(place + 16));
      __m256 low_part = first_of_pairs(low), high_part = first_of_pairs(high);
#pragma GCC unroll 6
      for (int r = 0; r < kRows; ++r) {
        const __m256 value = _mm256_broadcast_ss(row[r] + k);
        sums[r][0] = _mm256_fmadd_ps(value, low_part, sums[r][0]);
        sums[r][1] = _mm256_fmadd_ps(value, high_part, sums[r][1]);
        settle(sums[r][0], sums[r][1]);
      }
      low_part = second_of_pairs(low);
      high_part = second_of_pairs(high);
#pragma GCC unroll 6
      for (int r = 0; r < kRows; ++r) {
        const __m256 value = _mm256_broadcast_ss(row[r] + k + 1);
        sums[r][0] = _mm256_fmadd_ps(value, low_part, sums[r][0]);
        sums[r][1] = _mm256_fmadd_ps(value, high_part, sums[r][1]);
        settle(sums[r][0], sums[r][1]);
      }
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
    _mm256_store_ps(out + r * kBlock, sums[r][0]);
    _mm256_store_ps(out + r * kBlock + 8, sums[r][1]);
  }
}

// Rows are int16 (RowFormat::kInt16), weights are widened to it in registers: vpmaddwd's sum of two
// products is exact in 32 bits for any int8 factors (2 * 128 * 128 = 2^15), where vpmaddubsw's in
// 16 bits would saturate. It is no slower: vpmaddubsw needs a vpmaddwd with ones behind it, so that
// both ways 32 products are two multiplications.
// A register of sums has four columns' [k even pair, k odd pair]; they are added at the end. 8
// columns from `weights` on, which is a place in a half of a group.
template <int kRows>
void int8_tile(const std::byte* rows, int64_t stride, const int8_t* weights, int64_t depth,
               bool goes_on, Ahead ahead, int32_t* out) {
  __m256i sums[kRows][2];
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) sums[r][0] = sums[r][1] = _mm256_setzero_si256();
  const int16_t* row[kRows];
  for (int r = 0; r < kRows; ++r) row[r] = row_at<int16_t>(rows, stride, r);
  for (int64_t start = 0; start < depth; start += 64, weights += 2048) {
    const int8_t* place = weights;
    for (int64_t k = start; k < start + 64; k += 4, place += 64) {
      ahead.ask();
      const auto* four = reinterpret_cast<const __m128i*>(place);
      const __m256i low = _mm256_cvtepi8_epi16(_mm_load_si128(four));
      const __m256i high = _mm256_cvtepi8_epi16(_mm_load_si128(four + 1));
#pragma GCC unroll 6
      for (int r = 0; r < kRows; ++r) {
        const __m256i value = _mm256_set1_epi64x(*reinterpret_cast<const long long*>(row[r] + k));
        sums[r][0] = _mm256_add_epi32(sums[r][0], _mm256_madd_epi16(value, low));
        sums[r][1] = _mm256_add_epi32(sums[r][1], _mm256_madd_epi16(value, high));
        settle(sums[r][0], sums[r][1]);
      }
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
    auto* place = reinterpret_cast<__m256i*>(out + r * kBlock);
    const __m256i mixed = _mm256_hadd_epi32(sums[r][0], sums[r][1]);
    __m256i result = _mm256_permute4x64_epi64(mixed, 0xD8);
    if (goes_on) result = _mm256_add_epi32(result, _mm256_load_si256(place));
    _mm256_store_si256(place, result);
  }
}

}  // namespace

void float32_avx2(const BlockInput& input, const std::byte* group, int64_t depth, const int32_t*,
                  void* out) {
  const auto* rows = static_cast<const std::byte*>(input.rows);
  const auto* weights = reinterpret_cast<const float*>(group);
  auto* sums = static_cast<float*>(out);
  const int64_t stride = input.row_bytes;
  if (input.count == 1) {
    return float32_tile<1, 4>(rows, stride, weights, depth, false, ask_near, sums);
  }
  if (input.count == 2) {
    return float32_tile<2, 4>(rows, stride, weights, depth, false, ask_near, sums);
  }
  if (input.count == 3) {
    return float32_tile<3, 4>(rows, stride, weights, depth, false, ask_near, sums);
  }
  in_depth_pieces(depth, kFloatPiece, [&](int64_t start, int64_t length) {
    in_row_pieces(input.count, [&]<int kRows>(const RowPiece& piece) {
      for (int64_t column = 0; column < kBlock; column += 16) {
        Ahead ahead(weights + start * kBlock, length * kBlock * 4, 2 * piece.index + column / 16,
                    2 * piece.count, length);
        float32_tile<kRows, 2>(
            rows + piece.first * stride + start * 4, stride, weights + start * kBlock + column,
            length, start > 0, [&](const float*) { ahead.ask(); },
            sums + piece.first * kBlock + column);
      }
    });
  });
}

void bfloat16_avx2(const BlockInput& input, const std::byte* group, int64_t depth, const int32_t*,
                   void* out) {
  const auto* rows = static_cast<const std::byte*>(input.rows);
  const auto* weights = reinterpret_cast<const uint16_t*>(group);
  auto* sums = static_cast<float*>(out);
  const int64_t stride = input.row_bytes;
  in_depth_pieces(depth, kBfloat16Piece, [&](int64_t start, int64_t length) {
    in_row_pieces(input.count, [&]<int kRows>(const RowPiece& piece) {
      for (int64_t half = 0; half < 2; ++half) {
        const Ahead ahead(weights + start * kBlock, length * kBlock * 2, 2 * piece.index + half,
                          2 * piece.count, length / 2);
        bfloat16_tile<kRows>(rows + piece.first * stride + start * 4, stride,
                             weights + start * kBlock + half * 512, length, start > 0, ahead,
                             sums + piece.first * kBlock + half * 16);
      }
    });
  });
}

void int8_avx2(const BlockInput& input, const std::byte* group, int64_t depth, const int32_t*,
               void* out) {
  const auto* rows = static_cast<const std::byte*>(input.rows);
  const auto* weights = reinterpret_cast<const int8_t*>(group);
  auto* sums = static_cast<int32_t*>(out);
  const int64_t stride = input.row_bytes;
  in_depth_pieces(depth, kInt8Piece, [&](int64_t start, int64_t length) {
    in_row_pieces(input.count, [&]<int kRows>(const RowPiece& piece) {
      for (int64_t column = 0; column < kBlock; column += 8) {
        const Ahead ahead(weights + start * kBlock, length * kBlock, 4 * piece.index + column / 8,
                          4 * piece.count, length / 4);
        int8_tile<kRows>(rows + piece.first * stride + start * 2, stride,
                         weights + start * kBlock + column / 16 * 1024 + column % 16 * 4, length,
                         start > 0, ahead, sums + piece.first * kBlock + column);
      }
    });
  });
}

}  // namespace trivium::cpu
#endif
