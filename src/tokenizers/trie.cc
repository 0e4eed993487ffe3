#include "tokenizers/trie.h"

#include "base/error.h"

namespace trivium {

Trie::Trie() : edges_(1024), values_(1, -1) {}

size_t Trie::slot(uint32_t node, unsigned char byte) const {
  const uint64_t key = (uint64_t{node} << 8 | byte) + 1;
  const size_t mask = edges_.size() - 1;
  size_t i = static_cast<size_t>(key * 0x9E3779B97F4A7C15u >> 32) & mask;
  while (edges_[i].key != 0 && edges_[i].key != key) i = (i + 1) & mask;
  return i;
}

void Trie::grow() {
  std::vector<Edge> old(edges_.size() * 2);
  old.swap(edges_);
  for (const Edge& edge : old) {
    if (edge.key == 0) continue;
    const uint64_t packed = edge.key - 1;
    edges_[slot(static_cast<uint32_t>(packed >> 8), static_cast<unsigned char>(packed))] = edge;
  }
}

void Trie::insert(std::string_view key, int32_t value) {
  check(!key.empty(), "Trie::insert: empty key");
  uint32_t node = 0;
  for (const char c : key) {
    const auto byte = static_cast<unsigned char>(c);
    Edge* edge = &edges_[slot(node, byte)];
    if (edge->key == 0) {
      if (values_.size() * 2 >= edges_.size()) {
        grow();
        edge = &edges_[slot(node, byte)];
      }
      *edge = {(uint64_t{node} << 8 | byte) + 1, static_cast<uint32_t>(values_.size())};
      values_.push_back(-1);
    }
    node = edge->child;
  }
  values_[node] = value;
}

Trie::Match Trie::longest_prefix(std::string_view text) const {
  Match match;
  uint32_t node = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const Edge& edge = edges_[slot(node, static_cast<unsigned char>(text[i]))];
    if (edge.key == 0) break;
    node = edge.child;
    if (values_[node] >= 0) match = {i + 1, values_[node]};
  }
  return match;
}

}  // namespace trivium
