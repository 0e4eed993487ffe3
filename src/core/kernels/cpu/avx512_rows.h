// What the AVX-512 block kernels' files share: 14 rows by 32 columns at a time, so that 28 of the
// 32 registers are sums, 2 are weights, and a row's value comes from memory as a broadcast operand.
// In an unnamed namespace, because each file is compiled for instructions of its own.
#pragma once

#include <immintrin.h>

#include "core/kernels/block_kernels.h"

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

}  // namespace
}  // namespace trivium::cpu
