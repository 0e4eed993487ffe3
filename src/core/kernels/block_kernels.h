// The innermost products, one version an instruction set: up to 32 rows of activations by one group
// of 32 columns. Everything above them (threads, scales, bias, attention) is written once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/kernels/instruction_set.h"
#include "core/kernels/packed_matrix.h"

namespace trivium {

// Activations as a block kernel reads them: float32, bfloat16 or int8 values, rows padded with
// zeros to padded_depth(). AMX reads whole tiles: the memory of rows up to the next multiple of 16
// must exist (what it holds does not matter).
struct BlockInput {
  const void* rows = nullptr;
  int64_t row_bytes = 0;  // from one row to the next
  int64_t count = 0;      // 1 to 32
};

// out[r][c] = sum over k of input row r times column c of `group`; float32, for int8 exact int32.
// depth is padded. The order of summation over k is the same for every `count`, so that a row's
// result does not depend on the rows beside it. `column_sums` [32]: int8 only.
using BlockKernel = void (*)(const BlockInput& input, const std::byte* group, int64_t depth,
                             const int32_t* column_sums, void* out);

struct BlockKernels {
  BlockKernel float32, bfloat16, int8;
  // Called on a thread before its first product and after its last one.
  void (*begin)() = [] {};
  void (*end)() = [] {};

  BlockKernel of(ComputeType type) const {
    return type == ComputeType::kFloat32    ? float32
           : type == ComputeType::kBfloat16 ? bfloat16
                                            : int8;
  }
};

// The kernels of an available instruction set; a bug for another.
const BlockKernels& block_kernels(InstructionSet set);

namespace cpu {
extern const BlockKernels kPortableKernels;
// On x86-64 only.
extern const BlockKernels kAvx2Kernels;
extern const BlockKernels kAvx512Kernels;
extern const BlockKernels kAmxKernels;
}  // namespace cpu

}  // namespace trivium
