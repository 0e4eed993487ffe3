// What the block kernels in AVX2's registers share. In an unnamed namespace, because each file is
// compiled for instructions of its own.
#pragma once

#include <immintrin.h>

#include "core/kernels/block_kernels.h"

namespace trivium::cpu {
namespace {

constexpr int64_t kInt8Piece = 512;  // of depth: 16 KiB of weights

// What a tile asks for while it multiplies: its share of the 16 KiB (a piece of depth) that follow
// the piece now read, into the second-level cache, a little with each of its iterations. When the
// first rows of a piece asked for all of it, they waited for memory and the rows after them for
// nothing: on two cores, 16 rows of float32 took 1.6 times as long. Groups follow each other.
class Ahead {
 public:
  // Tile `tile` of the `tiles` that pass by a piece of `bytes` of weights, each in `iterations`.
  Ahead(const void* piece, int64_t bytes, int64_t tile, int64_t tiles, int64_t iterations)
      : place_(static_cast<const char*>(piece) + kBytes + bytes * tile / tiles),
        step_((bytes / tiles + iterations - 1) / iterations) {}
  void ask() {
    _mm_prefetch(place_, _MM_HINT_T1);
    place_ += step_;
  }

 private:
  static constexpr int64_t kBytes = 16384;
  const char* place_;
  int64_t step_;
};

// Keeps a row's sums in their registers and its instructions together: GCC 12 would begin all rows'
// products first and put half of the sums on the stack (int8, 6 rows: 90 GOP/s after 130).
inline void settle(__m256& low, __m256& high) { __asm__ volatile("" : "+x"(low), "+x"(high)); }
inline void settle(__m256i& low, __m256i& high) { __asm__ volatile("" : "+x"(low), "+x"(high)); }

// Rows one after the other, `stride` bytes apart; a template's loop over them has constant bounds.
template <typename T>
inline const T* row_at(const std::byte* rows, int64_t stride, int r) {
  return reinterpret_cast<const T*>(rows + r * stride);
}

struct RowPiece {
  int64_t first;         // row
  int64_t index, count;  // of how many pieces it is which
};

// Calls body.template operator()<n>(piece) for pieces of at most 6 rows, as even as possible, since
// a piece of one or two would leave the multipliers waiting.
template <typename Body>
inline void in_row_pieces(int64_t count, Body&& body) {
  RowPiece piece = {0, 0, (count + 5) / 6};
  for (; piece.index < piece.count; ++piece.index) {
    piece.first = count * piece.index / piece.count;
    switch (count * (piece.index + 1) / piece.count - piece.first) {
      case 1:
        body.template operator()<1>(piece);
        break;
      case 2:
        body.template operator()<2>(piece);
        break;
      case 3:
        body.template operator()<3>(piece);
        break;
      case 4:
        body.template operator()<4>(piece);
        break;
      case 5:
        body.template operator()<5>(piece);
        break;
      default:
        body.template operator()<6>(piece);
    }
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
