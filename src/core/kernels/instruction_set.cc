#include "core/kernels/instruction_set.h"

#include "core/base/error.h"

#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace trivium {
namespace {

#if defined(__x86_64__)
bool has_amx() {
#if defined(__linux__)
  // arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA); Documentation/arch/x86/xstate.rst
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  unsigned eax = 7, ebx = 0, ecx = 0, edx = 0;
  __asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
  constexpr unsigned kBf16 = 1u << 22, kTile = 1u << 24, kInt8 = 1u << 25;
  if ((edx & kBf16) == 0 || (edx & kTile) == 0 || (edx & kInt8) == 0) return false;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

bool has_avx_vnni() {
  unsigned eax = 7, ebx = 0, ecx = 1, edx = 0;
  __asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
  constexpr unsigned kAvxVnni = 1u << 4;
  return (eax & kAvxVnni) != 0;
}

std::vector<InstructionSet> find_available() {
  using enum InstructionSet;
  std::vector<InstructionSet> sets = {kPortable};
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return sets;
  sets.push_back(kAvx2);
  if (has_avx_vnni()) sets.push_back(kAvxVnni);
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl")) {
    return sets;
  }
  sets.push_back(kAvx512);
  if (!__builtin_cpu_supports("avx512vnni")) return sets;
  sets.push_back(kAvx512Vnni);
  if (!__builtin_cpu_supports("avx512bf16")) return sets;
  sets.push_back(kAvx512Bf16);
  if (has_amx()) sets.push_back(kAmx);
  return sets;
}
#elif defined(__aarch64__) && defined(__linux__)
std::vector<InstructionSet> find_available() {
  using enum InstructionSet;
  std::vector<InstructionSet> sets = {kPortable, kNeon};
  // Documentation/arch/arm64/elf_hwcaps.rst
  constexpr unsigned long kDotProducts = 1ul << 20, kMatrixInt8 = 1ul << 13, kBfloat16 = 1ul << 14;
  if ((getauxval(AT_HWCAP) & kDotProducts) == 0) return sets;
  sets.push_back(kNeonDot);
  const unsigned long more = getauxval(AT_HWCAP2);
  if ((more & kMatrixInt8) != 0 && (more & kBfloat16) != 0) sets.push_back(kNeonMatrix);
  return sets;
}
#elif defined(__aarch64__)
std::vector<InstructionSet> find_available() {
  return {InstructionSet::kPortable, InstructionSet::kNeon};
}
#else
std::vector<InstructionSet> find_available() { return {InstructionSet::kPortable}; }
#endif

}  // namespace

const char* name_of(InstructionSet set) {
  switch (set) {
    case InstructionSet::kPortable:
      return "portable";
    case InstructionSet::kAvx2:
      return "avx2";
    case InstructionSet::kAvxVnni:
      return "avx_vnni";
    case InstructionSet::kAvx512:
      return "avx512";
    case InstructionSet::kAvx512Vnni:
      return "avx512_vnni";
    case InstructionSet::kAvx512Bf16:
      return "avx512_bf16";
    case InstructionSet::kAmx:
      return "amx";
    case InstructionSet::kNeon:
      return "neon";
    case InstructionSet::kNeonDot:
      return "neon_dot";
    case InstructionSet::kNeonMatrix:
      break;
  }
  return "neon_matrix";
}

InstructionSet instruction_set(const std::string& name) {
  std::string names;
  for (const InstructionSet set : available_instruction_sets()) {
    if (name == name_of(set)) return set;
    names += std::string(names.empty() ? "" : ", ") + name_of(set);
  }
  throw Error(ExitCode::kUsage,
              "this processor has no instruction set " + name + "; it has " + names);
}

const std::vector<InstructionSet>& all_instruction_sets() {
  using enum InstructionSet;
#if defined(__x86_64__)
  static const std::vector<InstructionSet> sets = {kPortable,   kAvx2,       kAvxVnni, kAvx512,
                                                   kAvx512Vnni, kAvx512Bf16, kAmx};
#elif defined(__aarch64__)
  static const std::vector<InstructionSet> sets = {kPortable, kNeon, kNeonDot, kNeonMatrix};
#else
  static const std::vector<InstructionSet> sets = {kPortable};
#endif
  return sets;
}

const std::vector<InstructionSet>& available_instruction_sets() {
  static const std::vector<InstructionSet> sets = find_available();
  return sets;
}

}  // namespace trivium
