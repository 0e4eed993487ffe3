#include "core/kernels/cuda/tile_product.cuh"
#include "core/kernels/grouped_linear.h"

namespace trivium::cuda {
namespace {

__device__ float gelu(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678118f)); }

struct Parameters {
  GroupedLinear linear;
  int64_t padded_columns, padded_depth;
};

// Blocks: x over the columns, y over the tiles of rows.
template <typename T, int kFragments>
__global__ void __launch_bounds__(kTileThreads) grouped_linear_kernel(Parameters parameters) {
  const GroupedLinear& p = parameters.linear;
  const ExpertTile tile = tile_of(p.rows, static_cast<int>(blockIdx.y));
  if (tile.count == 0) return;  // the whole block
  const int64_t columns = p.matrices.columns;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kTileColumns;
  const T* weights = static_cast<const T*>(p.matrices.weights) +
                     (tile.expert * parameters.padded_columns + first) * parameters.padded_depth;
  multiply_tile<T, kFragments>({p.input, p.input_rows, p.matrices.depth, tile.first, tile.count},
                               weights, parameters.padded_depth, shared_bytes);
  for (int i = static_cast<int>(threadIdx.x); i < tile.count * kTileColumns; i += kTileThreads) {
    const int r = i / static_cast<int>(kTileColumns), c = i % static_cast<int>(kTileColumns);
    const int64_t column = first + c, row = tile.first + r;
    if (column >= columns) continue;
    float value = tile_value<kFragments>(shared_bytes, r, c) +
                  p.matrices.bias[tile.expert * columns + column];
    if (p.gelu) value = gelu(value);
    const int64_t out_row = p.out_rows ? p.out_rows[row] : row;
    if (p.factors) value *= p.factors[out_row];
    if (p.residual) {
      value += p.residual[(p.residual_rows ? p.residual_rows[row] : row) * columns + column];
    }
    if (p.narrow_out) {
      store(static_cast<T*>(p.out) + out_row * columns + column, value);
    } else {
      static_cast<float*>(p.out)[out_row * columns + column] = value;
    }
  }
}

template <typename T, int kFragments>
void launch_tiles(Stream& stream, const GroupedLinear& linear) {
  const Parameters parameters = {linear, linear.matrices.padded_columns(),
                                 linear.matrices.padded_depth()};
  const dim3 grid(static_cast<unsigned>(parameters.padded_columns / kTileColumns),
                  static_cast<unsigned>(linear.rows.num_tiles));
  launch(stream, "grouped_linear", grouped_linear_kernel<T, kFragments>, grid, kTileThreads,
         kTileBytes<kFragments>, parameters);
}

template <typename T>
void launch_type(Stream& stream, const GroupedLinear& linear) {
  if (linear.rows.tile_rows == 16) {
    launch_tiles<T, 1>(stream, linear);
  } else if (linear.rows.tile_rows == 32) {
    launch_tiles<T, 2>(stream, linear);
  } else {
    launch_tiles<T, 4>(stream, linear);
  }
}

}  // namespace

void grouped_linear(Stream& stream, const GroupedLinear& linear) {
  if (linear.matrices.type == ComputeType::kFloat32) {
    launch_type<float>(stream, linear);
  } else {
    launch_type<__nv_bfloat16>(stream, linear);
  }
}

}  // namespace trivium::cuda
