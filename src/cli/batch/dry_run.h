// --dry-run of the batch commands: all is read and checked, and nothing is answered.
#pragma once

#include <cstdint>
#include <functional>

#include "cli/batch/batch.h"

namespace trivium::cli {

// Tokens that a prompt's rows may come to while it is decoded, all rows together. Throws Error
// kBadData where the line cannot be answered.
using TokensOf = std::function<int64_t(LoadedModel& model, const BatchItem& item)>;

// Loads the checkpoint, reads all lines, finds their tasks, and prints what the run would do as a
// JSON object: lines by what becomes of them, prompts of each task, whether there is an output
// file, memory. Returns the code that the run would end with: kOk, or kBadData where a line is bad.
// Errors as run_batch before it answers.
int run_dry(BatchFlags flags, const TokensOf& tokens_of);

// {"weights_bytes", "cells_bytes", "available_bytes"?} for `tokens` tokens in a batch; warns where
// more is needed than is available.
Json memory_report(const LoadedModel& model, const ModelFlags& flags, int64_t tokens);

}  // namespace trivium::cli
