// Block kernels in AMX tiles: one or two tiles of 16 rows by the group's two tiles of 16
// columns. float32 has no tiles and takes the AVX-512 kernel; so do few rows of int8, whose sums
// are the same exact integers there.
#if defined(__x86_64__)
#include <immintrin.h>

#include "core/kernels/block_kernels.h"

namespace trivium::cpu {
namespace {

constexpr int64_t kTileBytes = 1024;
// Ahead of the weights now read, into the second-level and the first-level cache; groups follow
// each other.
constexpr int64_t kFarBytes = 8192, kNearBytes = 2048;
constexpr int kOutStride = kBlock * 4;  // bytes of a row of the result

// int8 rows up to which the AVX-512 kernel reads weights faster, by 2 threads: 57 GB/s against 48
// for one row and 55 against 46 for four where they stay in the last cache, 29 against 28 and 25
// against 27 where they come from memory.
constexpr int64_t kFewRows = 4;

// All eight tiles are 16 rows of 64 bytes. The layout is _tile_loadconfig's.
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

inline void prefetch_two_tiles(const std::byte* weights) {
  for (int64_t line = 0; line < 2 * kTileBytes; line += 64) {
    const char* place = reinterpret_cast<const char*>(weights) + line;
    _mm_prefetch(place + kFarBytes, _MM_HINT_T1);
    _mm_prefetch(place + kNearBytes, _MM_HINT_T0);
  }
}

// A macro, because GCC 12 takes the numbers of tiles only as literals.
// Tiles 0 to 3: sums [rows half][column half]; 4, 5: rows; 6, 7: columns.
#define TRIVIUM_AMX_BLOCK(NAME, PRODUCT, DEPTH_STEP)                                           \
  void NAME(const BlockInput& input, const std::byte* group, int64_t depth, const int32_t*,    \
            void* out) {                                                                       \
    const auto* rows = static_cast<const std::byte*>(input.rows);                              \
    const auto* second = rows + 16 * input.row_bytes;                                          \
    auto* result = static_cast<std::byte*>(out);                                               \
    _tile_zero(0);                                                                             \
    _tile_zero(1);                                                                             \
    if (input.count <= 16) {                                                                   \
      for (int64_t k = 0; k < depth; k += (DEPTH_STEP), rows += 64, group += 2 * kTileBytes) { \
        prefetch_two_tiles(group);                                                             \
        _tile_loadd(4, rows, input.row_bytes);                                                 \
        _tile_loadd(6, group, 64);                                                             \
        PRODUCT(0, 4, 6);                                                                      \
        _tile_loadd(7, group + kTileBytes, 64);                                                \
        PRODUCT(1, 4, 7);                                                                      \
      }                                                                                        \
    } else {                                                                                   \
      _tile_zero(2);                                                                           \
      _tile_zero(3);                                                                           \
      for (int64_t k = 0; k < depth;                                                           \
           k += (DEPTH_STEP), rows += 64, second += 64, group += 2 * kTileBytes) {             \
        prefetch_two_tiles(group);                                                             \
        _tile_loadd(4, rows, input.row_bytes);                                                 \
        _tile_loadd(6, group, 64);                                                             \
        PRODUCT(0, 4, 6);                                                                      \
        _tile_loadd(7, group + kTileBytes, 64);                                                \
        PRODUCT(1, 4, 7);                                                                      \
        _tile_loadd(5, second, input.row_bytes);                                               \
        PRODUCT(2, 5, 6);                                                                      \
        PRODUCT(3, 5, 7);                                                                      \
      }                                                                                        \
      _tile_stored(2, result + 16 * kOutStride, kOutStride);                                   \
      _tile_stored(3, result + 16 * kOutStride + 64, kOutStride);                              \
    }                                                                                          \
    _tile_stored(0, result, kOutStride);                                                       \
    _tile_stored(1, result + 64, kOutStride);                                                  \
  }

TRIVIUM_AMX_BLOCK(int8_tiles, _tile_dpbssd, 64)

}  // namespace

void begin_amx() {
  static const TileConfig config;
  _tile_loadconfig(&config);
}

void end_amx() { _tile_release(); }

TRIVIUM_AMX_BLOCK(bfloat16_amx, _tile_dpbf16ps, 32)

void int8_amx(const BlockInput& input, const std::byte* group, int64_t depth,
              const int32_t* column_sums, void* out) {
  const BlockKernel kernel = input.count <= kFewRows ? int8_avx512_vnni : int8_tiles;
  kernel(input, group, depth, column_sums, out);
}

}  // namespace trivium::cpu
#endif
