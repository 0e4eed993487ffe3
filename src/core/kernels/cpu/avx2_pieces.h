// What the block kernels in AVX2's registers share. In an unnamed namespace, because each file is
// compiled for instructions of its own.
#pragma once

#include <immintrin.h>

#include "core/kernels/block_kernels.h"

namespace trivium::cpu {
namespace {

constexpr int64_t kInt8Piece = 512;  // of depth: 16 KiB of weights

// Ahead of the weights now read, while the first rows pass by: a piece of depth, into the
// second-level cache. Groups follow each other.
constexpr int64_t kAheadBytes = 16384;

template <bool kAsks>
inline void ask_ahead(const void* weights) {
  if constexpr (kAsks) {
    _mm_prefetch(static_cast<const char*>(weights) + kAheadBytes, _MM_HINT_T1);
  }
}

// Keeps a row's sums in their registers and its instructions together: GCC 12 would begin all rows'
// products first and put half of the sums on the stack (int8, 6 rows: 90 GOP/s after 130).
inline void settle(__m256& low, __m256& high) { __asm__ volatile("" : "+x"(low), "+x"(high)); }
inline void settle(__m256i& low, __m256i& high) { __asm__ volatile("" : "+x"(low), "+x"(high)); }

// Rows one after the other, `stride` bytes apart; a template's loop over them has constant bounds.
template <typename T>
inline const T* row_at(const std::byte* rows, int64_t stride, int r) {
  return reinterpret_cast<const T*>(rows + r * stride);
}

// Calls body.template operator()<n, is the first>(first row) for pieces of at most 6 rows, as even
// as possible, since a piece of one or two would leave the multipliers waiting.
template <bool kFirst, typename Body>
inline void row_piece(int64_t first, int64_t count, Body&& body) {
  switch (count) {
    case 1:
      return body.template operator()<1, kFirst>(first);
    case 2:
      return body.template operator()<2, kFirst>(first);
    case 3:
      return body.template operator()<3, kFirst>(first);
    case 4:
      return body.template operator()<4, kFirst>(first);
    case 5:
      return body.template operator()<5, kFirst>(first);
    default:
      return body.template operator()<6, kFirst>(first);
  }
}

template <typename Body>
inline void in_row_pieces(int64_t count, Body&& body) {
  const int64_t pieces = (count + 5) / 6;
  row_piece<true>(0, count / pieces, body);
  for (int64_t piece = 1; piece < pieces; ++piece) {
    const int64_t first = count * piece / pieces;
    row_piece<false>(first, count * (piece + 1) / pieces - first, body);
  }
}

// Calls body(start, length) for pieces of depth.
template <typename Body>
inline void in_depth_pieces(int64_t depth, int64_t piece, Body&& body) {
  for (int64_t start = 0; start < depth; start += piece) {
    body(start, depth - start < piece ? depth - start : piece);
  }
}

}  // namespace
}  // namespace trivium::cpu
