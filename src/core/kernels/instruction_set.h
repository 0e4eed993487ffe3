// Which of the CPU kernels' versions runs.
#pragma once

#include <string>
#include <vector>

namespace trivium {

enum class InstructionSet {
  kPortable,    // plain C++ for the compiler's target
  kAvx2,        // AVX2 and FMA (Haswell, Zen and later)
  kAvxVnni,     // the same with AVX-VNNI (Alder Lake and later)
  kAvx512,      // AVX-512 F, BW, DQ and VL (Skylake-X)
  kAvx512Vnni,  // the same with VNNI (Cascade Lake, Ice Lake)
  kAvx512Bf16,  // the same with BF16 (Cooper Lake, Zen 4 and later)
  kAmx,         // the same with AMX tiles, int8 and bfloat16 (Sapphire Rapids and later)
  kNeon,        // 64-bit Arm
  kNeonDot,     // the same with dot products (Armv8.2 DotProd: Neoverse N1, Apple M1)
  kNeonMatrix,  // the same with matrix products of int8 and bfloat16 (I8MM, BF16: Neoverse V1)
};

// "portable", "avx2", "avx_vnni", "avx512", "avx512_vnni", "avx512_bf16", "amx", "neon",
// "neon_dot", "neon_matrix".
const char* name_of(InstructionSet set);

// The set of a name that this processor has; Error kUsage for another.
InstructionSet instruction_set(const std::string& name);

// All of this build, best last.
const std::vector<InstructionSet>& all_instruction_sets();

// What this processor and this system have, best last. Asks the system for the tiles' state, which
// Linux gives to a process that asks.
const std::vector<InstructionSet>& available_instruction_sets();

}  // namespace trivium
