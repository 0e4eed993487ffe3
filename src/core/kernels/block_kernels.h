// The innermost products, one version an instruction set: up to 32 rows of activations by one group
// of 32 columns. Everything above them (threads, scales, bias, attention) is written once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/kernels/instruction_set.h"
#include "core/kernels/packed_matrix.h"

namespace trivium {

// In what numbers a kernel reads rows of activations: those of its type, or wider ones that hold
// the same rounded values, where the processor has no products of the narrow ones.
enum class RowFormat { kFloat32, kBfloat16, kInt16, kInt8 };

// Bytes of one value.
constexpr int64_t size_of(RowFormat format) {
  return format == RowFormat::kFloat32 ? 4 : format == RowFormat::kInt8 ? 1 : 2;
}

// Activations as a block kernel reads them, in its RowFormat, rows padded with zeros to
// padded_depth(). AMX reads whole tiles: the memory of rows up to the next multiple of 16 must
// exist (what it holds does not matter).
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
  RowFormat bfloat16_rows = RowFormat::kBfloat16, int8_rows = RowFormat::kInt8;
  // Called on a thread before its first product and after its last one.
  void (*begin)() = [] {};
  void (*end)() = [] {};
  // Rows of a large product that pass by a group of weights before the next group is read.
  int64_t least_rows = 32;

  BlockKernel of(ComputeType type) const {
    return type == ComputeType::kFloat32    ? float32
           : type == ComputeType::kBfloat16 ? bfloat16
                                            : int8;
  }
  RowFormat rows_of(ComputeType type) const {
    return type == ComputeType::kFloat32    ? RowFormat::kFloat32
           : type == ComputeType::kBfloat16 ? bfloat16_rows
                                            : int8_rows;
  }
};

// The kernels of an available instruction set; a bug for another.
const BlockKernels& block_kernels(InstructionSet set);

// The kernels by type and instructions, one file of cpu/ each set.
namespace cpu {
using BlockFunction = void(const BlockInput& input, const std::byte* group, int64_t depth,
                           const int32_t* column_sums, void* out);
BlockFunction float32_portable, bfloat16_portable, int8_portable;
// On x86-64 only.
BlockFunction float32_avx2, bfloat16_avx2, int8_avx2, int8_avx_vnni;
BlockFunction float32_avx512, bfloat16_avx512, int8_avx512, int8_avx512_vnni, bfloat16_avx512_bf16;
BlockFunction bfloat16_amx, int8_amx;
void begin_amx();
void end_amx();
// On 64-bit Arm only.
BlockFunction float32_neon, bfloat16_neon, int8_neon, int8_neon_dot;
BlockFunction bfloat16_neon_matrix, int8_neon_matrix;
}  // namespace cpu

}  // namespace trivium
