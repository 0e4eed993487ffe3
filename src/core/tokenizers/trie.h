// A byte trie for greedy longest-match look-up.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/tokenizers/flat_map.h"

namespace trivium {

class Trie {
 public:
  struct Match {
    size_t length = 0;   // bytes; 0 where nothing matches
    int32_t value = -1;  // what was inserted with the key
  };

  // `key` is not empty; a later value for the same key replaces the earlier one.
  void insert(std::string_view key, int32_t value);

  // The longest key with which `text` begins.
  Match longest_prefix(std::string_view text) const;

 private:
  static uint64_t edge(uint32_t node, char byte) {
    return uint64_t{node} << 8 | static_cast<unsigned char>(byte);
  }

  FlatMap children_;                                           // edge -> node
  std::vector<int32_t> values_ = std::vector<int32_t>(1, -1);  // [nodes]; -1: no key ends here
};

}  // namespace trivium
