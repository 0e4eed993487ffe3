// The output layer on CUDA for those who need only each row's best tokens and its log-sum-exp: the
// logits are reduced where they are computed and never written to the device's memory.
#pragma once

#include <cstdint>

#include "core/kernels/cuda_stream.h"
#include "core/kernels/grouped_linear.h"

namespace trivium::cuda {

constexpr int64_t kScanColumns =
    128;  // tokens that one block reduces; the most that `count` may be

struct ScoredToken {
  float logit = 0;
  int32_t token = -1;  // -1: there is none
};
struct ExpSum {
  float max = 0;   // of all logits
  double sum = 0;  // of exp(logit - max)
};

// Higher logits first, of equal ones the lower token. Tokens that are banned or at minus infinity
// are no candidates, but count in the sum. Device pointers.
struct VocabularyScan {
  ExpertMatrices matrices;       // of one expert: its columns are the tokens
  const float* input = nullptr;  // [rows, depth]
  int32_t rows = 0;
  int32_t count = 0;                    // of best tokens, at most kScanColumns
  const int32_t* ban_begins = nullptr;  // [rows + 1]: row r's are from ban_begins[r] on
  const int32_t* banned = nullptr;      // sorted in each row
  ScoredToken* best = nullptr;          // [rows, count], best first
  ExpSum* sums = nullptr;               // [rows]
  void* scratch = nullptr;              // vocabulary_scan_scratch bytes, aligned to 16
};
int64_t vocabulary_scan_scratch(int64_t vocab_size, int64_t rows, int64_t count);
void vocabulary_scan(Stream& stream, const VocabularyScan& scan);

}  // namespace trivium::cuda
