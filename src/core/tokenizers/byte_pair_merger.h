// Byte-pair encoding of one word: merges by rank.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tokenizers/flat_map.h"

namespace trivium {

class BytePairMerger {
 public:
  // The next rank joins `left` and `right` to `result`. False when the pair has a rank already.
  bool add(int32_t left, int32_t right, int32_t result);

  struct Rule {
    int32_t left, right, result;
  };
  const std::vector<Rule>& rules() const { return rules_; }  // [ranks]

  // Replaces in `ids` the pair of lowest rank, leftmost first, until no pair has a rule. A heap of
  // candidates keeps it O(n log n): a text of 10 MB without any space is one word. Needs 20 bytes
  // of memory for each of `ids`.
  void merge(std::vector<int32_t>& ids) const;

 private:
  FlatMap ranks_;  // left << 32 | right -> rank
  std::vector<Rule> rules_;
};

}  // namespace trivium
