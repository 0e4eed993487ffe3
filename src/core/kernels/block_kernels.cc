#include "core/kernels/block_kernels.h"

#include <algorithm>

#include "core/base/error.h"

namespace trivium {

const BlockKernels& block_kernels(InstructionSet set) {
  const auto& sets = available_instruction_sets();
  check(std::find(sets.begin(), sets.end(), set) != sets.end(),
        "the processor lacks an instruction set");
#if defined(__x86_64__)
  if (set == InstructionSet::kAmx) return cpu::kAmxKernels;
  if (set == InstructionSet::kAvx512) return cpu::kAvx512Kernels;
  if (set == InstructionSet::kAvx2) return cpu::kAvx2Kernels;
#endif
  return cpu::kPortableKernels;
}

}  // namespace trivium
