// Which of the CPU kernels' versions runs.
#pragma once

#include <string>
#include <vector>

namespace trivium {

// Each level has what the levels before it have.
enum class InstructionSet {
  kPortable,  // plain C++ for the compiler's target
  kAvx2,      // AVX2 and FMA
  kAvx512,    // AVX-512 F, BW, DQ, VL, VNNI and BF16 (Cooper Lake, Zen 4 and later)
  kAmx,       // AMX tiles, int8 and bfloat16 (Sapphire Rapids and later)
};

// "portable", "avx2", "avx512", "amx".
const char* name_of(InstructionSet set);

// What this processor and this system have, best last. Asks the system for the tiles' state, which
// Linux gives to a process that asks.
const std::vector<InstructionSet>& available_instruction_sets();

}  // namespace trivium
