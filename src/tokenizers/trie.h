// A byte trie for greedy longest-match look-up.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace trivium {

class Trie {
 public:
  struct Match {
    size_t length = 0;   // bytes; 0 where nothing matches
    int32_t value = -1;  // what was inserted with the key
  };

  Trie();

  // `key` is not empty; a later value for the same key replaces the earlier one.
  void insert(std::string_view key, int32_t value);

  // The longest key with which `text` begins.
  Match longest_prefix(std::string_view text) const;

 private:
  struct Edge {
    uint64_t key = 0;  // node * 256 + byte, plus 1: 0 marks a free slot
    uint32_t child = 0;
  };

  // The slot of the edge, or the free slot where it belongs.
  size_t slot(uint32_t node, unsigned char byte) const;
  void grow();

  std::vector<Edge> edges_;      // open addressing, a power of two in size, at most half full
  std::vector<int32_t> values_;  // [nodes]; -1: no key ends here. Node 0 is the root.
};

}  // namespace trivium
