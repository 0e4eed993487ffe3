// What the block kernels for 64-bit Arm share. In an unnamed namespace, because each file is
// compiled for instructions of its own.
#pragma once

#include <arm_neon.h>

#include "core/kernels/block_kernels.h"

namespace trivium::cpu {
namespace {

// A tile is 4 rows by 16 columns: 16 of the 32 registers are sums. Fewer rows: the last is taken
// again in place of those that are missing, and not stored.
constexpr int kTileRows = 4;

template <typename T>
struct TileRows {
  const T* rows[kTileRows];
  int count;

  TileRows(const BlockInput& input, int64_t first) {
    const int64_t left = input.count - first;
    count = left < kTileRows ? static_cast<int>(left) : kTileRows;
    for (int r = 0; r < kTileRows; ++r) {
      const int64_t row = first + (r < count ? r : count - 1);
      rows[r] = reinterpret_cast<const T*>(static_cast<const std::byte*>(input.rows) +
                                           row * input.row_bytes);
    }
  }
};

// Calls tile(rows, half, out) for all tiles of a block.
template <typename T, typename Sum, typename Tile>
inline void in_tiles(const BlockInput& input, void* out, Tile&& tile) {
  for (int64_t first = 0; first < input.count; first += kTileRows) {
    const TileRows<T> rows(input, first);
    for (int64_t half = 0; half < 2; ++half) {
      tile(rows, half, static_cast<Sum*>(out) + first * kBlock + half * 16);
    }
  }
}

}  // namespace
}  // namespace trivium::cpu
