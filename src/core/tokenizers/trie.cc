#include "core/tokenizers/trie.h"

#include "core/base/error.h"

namespace trivium {

void Trie::insert(std::string_view key, int32_t value) {
  check(!key.empty(), "Trie::insert: empty key");
  uint32_t node = 0;
  for (const char c : key) {
    uint32_t child = children_.find(edge(node, c));
    if (child == FlatMap::kNone) {
      child = static_cast<uint32_t>(values_.size());
      children_.insert(edge(node, c), child);
      values_.push_back(-1);
    }
    node = child;
  }
  values_[node] = value;
}

Trie::Match Trie::longest_prefix(std::string_view text) const {
  Match match;
  uint32_t node = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    node = children_.find(edge(node, text[i]));
    if (node == FlatMap::kNone) break;
    if (values_[node] >= 0) match = {i + 1, values_[node]};
  }
  return match;
}

}  // namespace trivium
