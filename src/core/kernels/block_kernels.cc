#include "core/kernels/block_kernels.h"

#include <algorithm>

#include "core/base/error.h"

namespace trivium {
namespace {

constexpr BlockKernels kPortable = {.float32 = cpu::float32_portable,
                                    .bfloat16 = cpu::bfloat16_portable,
                                    .int8 = cpu::int8_portable};

#if defined(__x86_64__)
constexpr BlockKernels kAvx2 = {.float32 = cpu::float32_avx2,
                                .bfloat16 = cpu::bfloat16_avx2,
                                .int8 = cpu::int8_avx2,
                                .bfloat16_rows = RowFormat::kFloat32,
                                .int8_rows = RowFormat::kInt16,
                                .least_rows = 128};
constexpr BlockKernels kAvxVnni = {.float32 = cpu::float32_avx2,
                                   .bfloat16 = cpu::bfloat16_avx2,
                                   .int8 = cpu::int8_avx_vnni,
                                   .bfloat16_rows = RowFormat::kFloat32,
                                   .least_rows = 128};
constexpr BlockKernels kAvx512 = {.float32 = cpu::float32_avx512,
                                  .bfloat16 = cpu::bfloat16_avx512,
                                  .int8 = cpu::int8_avx512,
                                  .bfloat16_rows = RowFormat::kFloat32,
                                  .int8_rows = RowFormat::kInt16};
constexpr BlockKernels kAvx512Vnni = {.float32 = cpu::float32_avx512,
                                      .bfloat16 = cpu::bfloat16_avx512,
                                      .int8 = cpu::int8_avx512_vnni,
                                      .bfloat16_rows = RowFormat::kFloat32};
constexpr BlockKernels kAvx512Bf16 = {.float32 = cpu::float32_avx512,
                                      .bfloat16 = cpu::bfloat16_avx512_bf16,
                                      .int8 = cpu::int8_avx512_vnni};
constexpr BlockKernels kAmx = {.float32 = cpu::float32_avx512,
                               .bfloat16 = cpu::bfloat16_amx,
                               .int8 = cpu::int8_amx,
                               .begin = cpu::begin_amx,
                               .end = cpu::end_amx};
#elif defined(__aarch64__)
constexpr BlockKernels kNeon = {.float32 = cpu::float32_neon,
                                .bfloat16 = cpu::bfloat16_neon,
                                .int8 = cpu::int8_neon,
                                .bfloat16_rows = RowFormat::kFloat32,
                                .least_rows = 128};
constexpr BlockKernels kNeonDot = {.float32 = cpu::float32_neon,
                                   .bfloat16 = cpu::bfloat16_neon,
                                   .int8 = cpu::int8_neon_dot,
                                   .bfloat16_rows = RowFormat::kFloat32,
                                   .least_rows = 128};
constexpr BlockKernels kNeonMatrix = {.float32 = cpu::float32_neon,
                                      .bfloat16 = cpu::bfloat16_neon_matrix,
                                      .int8 = cpu::int8_neon_matrix,
                                      .least_rows = 128};
#endif

}  // namespace

const BlockKernels& block_kernels(InstructionSet set) {
  const auto& sets = available_instruction_sets();
  check(std::find(sets.begin(), sets.end(), set) != sets.end(),
        "the processor lacks an instruction set");
  switch (set) {
#if defined(__x86_64__)
    case InstructionSet::kAvx2:
      return kAvx2;
    case InstructionSet::kAvxVnni:
      return kAvxVnni;
    case InstructionSet::kAvx512:
      return kAvx512;
    case InstructionSet::kAvx512Vnni:
      return kAvx512Vnni;
    case InstructionSet::kAvx512Bf16:
      return kAvx512Bf16;
    case InstructionSet::kAmx:
      return kAmx;
#elif defined(__aarch64__)
    case InstructionSet::kNeon:
      return kNeon;
    case InstructionSet::kNeonDot:
      return kNeonDot;
    case InstructionSet::kNeonMatrix:
      return kNeonMatrix;
#endif
    default:
      return kPortable;
  }
}

}  // namespace trivium
