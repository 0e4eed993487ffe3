// nvcuda::wmma for bfloat16, 16 x 16 x 16 (README.md). A warp's fragment is held whole by its first
// lane, since CUDA does not say which lane holds which element either.
#pragma once

#include "cuda_bf16.h"

namespace nvcuda::wmma {

struct matrix_a;
struct matrix_b;
struct accumulator;
struct row_major;
struct col_major;
enum layout_t { mem_row_major, mem_col_major };

template <typename Use, int kM, int kN, int kK, typename T, typename Layout = void>
struct fragment {
  static_assert(kM == 16 && kN == 16 && kK == 16);
  float elements[16][16];  // [row][column], for a and b what they are in the product
};

// CUDA asks for 256 bits, and for strides of 16 bytes.
inline void require_aligned(const void* pointer, unsigned stride_bytes) {
  if (reinterpret_cast<std::uintptr_t>(pointer) % 32 != 0 || stride_bytes % 16 != 0) {
    cuda_on_host::stop_block("a wmma operand is not aligned");
  }
}

inline bool is_first_lane(const cuda_on_host::Place& place) {
  cuda_on_host::warp_exchange(0xFFFFFFFFu, 0, place);
  return threadIdx.x % 32 == 0;
}

template <typename Use, typename T, typename Layout>
void fill_fragment(fragment<Use, 16, 16, 16, T, Layout>& out, float value) {
  for (auto& row : out.elements) {
    for (float& element : row) element = value;
  }
}

template <typename Use, typename T>
void load_matrix_sync(fragment<Use, 16, 16, 16, T, row_major>& out, const T* from, unsigned stride,
                      cuda_on_host::Place place = cuda_on_host::Place::current()) {
  require_aligned(from, stride * sizeof(T));
  if (is_first_lane(place)) {
    for (int r = 0; r < 16; ++r) {
      for (int c = 0; c < 16; ++c) out.elements[r][c] = __bfloat162float(from[r * stride + c]);
    }
  }
  is_first_lane(place);  // nobody overwrites what is being read
}
template <typename Use, typename T>
void load_matrix_sync(fragment<Use, 16, 16, 16, T, col_major>& out, const T* from, unsigned stride,
                      cuda_on_host::Place place = cuda_on_host::Place::current()) {
  require_aligned(from, stride * sizeof(T));
  if (is_first_lane(place)) {
    for (int r = 0; r < 16; ++r) {
      for (int c = 0; c < 16; ++c) out.elements[r][c] = __bfloat162float(from[c * stride + r]);
    }
  }
  is_first_lane(place);
}

template <typename T, typename LayoutA, typename LayoutB>
void mma_sync(fragment<accumulator, 16, 16, 16, float>& out,
              const fragment<matrix_a, 16, 16, 16, T, LayoutA>& a,
              const fragment<matrix_b, 16, 16, 16, T, LayoutB>& b,
              const fragment<accumulator, 16, 16, 16, float>& sums,
              cuda_on_host::Place place = cuda_on_host::Place::current()) {
  if (!is_first_lane(place)) return;
  for (int r = 0; r < 16; ++r) {
    for (int c = 0; c < 16; ++c) {
      float sum = sums.elements[r][c];
      for (int k = 0; k < 16; ++k) sum += a.elements[r][k] * b.elements[k][c];
      out.elements[r][c] = sum;
    }
  }
}

inline void store_matrix_sync(float* to, const fragment<accumulator, 16, 16, 16, float>& from,
                              unsigned stride, layout_t,
                              cuda_on_host::Place place = cuda_on_host::Place::current()) {
  require_aligned(to, stride * sizeof(float));
  if (is_first_lane(place)) {
    for (int r = 0; r < 16; ++r) {
      for (int c = 0; c < 16; ++c) to[r * stride + c] = from.elements[r][c];
    }
  }
  is_first_lane(place);
}

}  // namespace nvcuda::wmma
