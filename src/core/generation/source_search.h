// One source's search: which rows it has in the batch, and what it makes of the model's answer.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/generation/logit_scan.h"
#include "core/generation/logits_processor.h"
#include "core/generation/search.h"

namespace trivium {

// What a row's next token is chosen from.
struct RowOutput {
  std::span<const float> logits;    // of every token; only for a source that reads_logits()
  const LogitScan* scan = nullptr;  // of the others: the best candidates() tokens, not the banned
  std::span<const int32_t> banned;  // sorted
  int32_t forced = -1;              // the only token allowed, at log-probability 0; -1: none
};

class SourceSearch {
 public:
  virtual ~SourceSearch() = default;

  // The rows that go on; 0 once the search has ended.
  virtual size_t num_rows() const = 0;
  // A row's ids so far, the start token first. The last is what the row is fed next.
  virtual std::span<const int32_t> ids(size_t row) const = 0;
  // How many of a row's best tokens are looked at.
  virtual int candidates() const = 0;
  // Whether the logits of all tokens are: for sampling, and where repetition is punished.
  virtual bool reads_logits() const = 0;

  // Takes the next token of every row: outputs [num_rows()]. Appends to `parents`, for each row
  // that there is afterwards, the number of the row that it continues.
  virtual void advance(std::span<const RowOutput> outputs, std::vector<int32_t>& parents) = 0;

  // What was found; once, when there is no row left.
  virtual Hypothesis take_hypothesis() = 0;

  // The rules for a row's next token.
  virtual LogitsProcessor& processor() = 0;
};

// Called with each new token; returning false ends the search.
using ChosenCallback = std::function<bool(const ChosenToken& token)>;

// Greedy search or sampling: one row. `draw` is which of the seed's streams of random numbers it
// takes.
std::unique_ptr<SourceSearch> greedy_source(std::shared_ptr<const SearchOptions> options,
                                            uint64_t draw, ChosenCallback on_token);

// Beam search: a row for every beam that can still matter.
std::unique_ptr<SourceSearch> beamed_source(std::shared_ptr<const SearchOptions> options);

}  // namespace trivium
