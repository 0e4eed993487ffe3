// Whether the engine answers right here: the same prompt on every instruction set.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/doctor/finding.h"
#include "core/kernels/instruction_set.h"

namespace trivium::cli {

// How far the log-likelihoods of one text may be from each other on two instruction sets, for each
// of its tokens: float32 sums in another order differ by less (the tests hold the engine to the
// same against LibTorch).
inline constexpr double kSelfTestBound = 1e-4;

// What one instruction set gave.
struct SetAnswer {
  InstructionSet set = InstructionSet::kPortable;
  std::string text;
  double log_likelihood = 0;  // of the first set's text
  double milliseconds = 0;    // to read the model and to answer
};

// Whether all gave the first one's text, and its likelihood within the bound; `tokens` is how many
// the text has. kFailed with kDiverged where one gave another, or no number.
Finding judge(const std::vector<SetAnswer>& answers, int64_t tokens);

// Answers the checkpoint's first known task's example, or a plain sentence, with float32 on each of
// the processor's instruction sets. What the checkpoint lacks is kFailed with that error's code.
Finding run_self_test(const std::filesystem::path& checkpoint, int threads);

}  // namespace trivium::cli
