// Linear layers on packed weights.
#pragma once

#include <cstdint>
#include <span>

#include "core/base/thread_pool.h"
#include "core/kernels/activations.h"
#include "core/kernels/block_kernels.h"
#include "core/kernels/packed_matrix.h"

namespace trivium {

// The threads and the instruction set that kernels run with.
struct CpuContext {
  ThreadPool* threads;
  const BlockKernels* blocks;
};

// Rows, one after the other, that take one matrix.
struct LinearPart {
  const PackedMatrix* weights = nullptr;
  const float* bias = nullptr;  // [columns, padded to 32], or null
  int64_t rows = 0;
};

// What becomes of a product, in this order: bias, GELU, residual.
struct LinearOutput {
  float* out = nullptr;  // [rows, stride]; columns beyond the matrix's are not written
  int64_t stride = 0;    // in elements
  bool gelu = false;
  const float* residual = nullptr;  // [rows, stride], or null; may be `out` itself
};

// out = f(input W^T + bias), W and bias being those of a row's part; the parts' rows follow each
// other and are all of the input's. All matrices have the input's type and depth, and as many
// columns.
void linear(const CpuContext& context, const Activations& input, std::span<const LinearPart> parts,
            const LinearOutput& output);

// Rows by columns of one block of products, times the scales of int8: float32 [count][32].
void scaled_block(const BlockKernels& kernels, const Activations& input, int64_t first_row,
                  int64_t count, const PackedMatrix& weights, int64_t group, float* block);

}  // namespace trivium
