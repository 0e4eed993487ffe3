#include "core/tokenizers/byte_pair_merger.h"

#include <algorithm>
#include <functional>

namespace trivium {
namespace {

uint64_t pair_key(int32_t left, int32_t right) {
  return static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
}

// A doubly linked list in an array, so that positions order the candidates of equal rank.
struct Symbol {
  int32_t id;  // -1: merged into its left neighbour
  int32_t previous, next;
};

}  // namespace

bool BytePairMerger::add(int32_t left, int32_t right, int32_t result) {
  if (ranks_.find(pair_key(left, right)) != FlatMap::kNone) return false;
  ranks_.insert(pair_key(left, right), static_cast<uint32_t>(rules_.size()));
  rules_.push_back({left, right, result});
  return true;
}

void BytePairMerger::merge(std::vector<int32_t>& ids) const {
  const auto count = static_cast<int32_t>(ids.size());
  std::vector<Symbol> symbols(ids.size() + 1);
  for (int32_t i = 0; i < count; ++i) symbols[i] = {ids[i], i - 1, i + 1};
  symbols[count] = {-1, count - 1, count};  // the end

  std::vector<uint64_t> candidates;  // rank << 32 | position of the left symbol, a min-heap
  const auto candidate = [&](int32_t position) {
    const int32_t next = symbols[position].next;
    if (next == count) return false;
    const uint32_t rank = ranks_.find(pair_key(symbols[position].id, symbols[next].id));
    if (rank == FlatMap::kNone) return false;
    candidates.push_back(uint64_t{rank} << 32 | static_cast<uint32_t>(position));
    return true;
  };
  for (int32_t i = 0; i < count; ++i) candidate(i);
  std::make_heap(candidates.begin(), candidates.end(), std::greater<>());

  const auto push = [&](int32_t position) {
    if (candidate(position)) std::push_heap(candidates.begin(), candidates.end(), std::greater<>());
  };
  while (!candidates.empty()) {
    std::pop_heap(candidates.begin(), candidates.end(), std::greater<>());
    const Rule& rule = rules_[candidates.back() >> 32];
    const auto position = static_cast<int32_t>(candidates.back() & 0xFFFFFFFF);
    candidates.pop_back();
    Symbol& left = symbols[position];
    if (left.id != rule.left || symbols[left.next].id != rule.right) continue;  // merged since
    Symbol& right = symbols[left.next];
    right.id = -1;
    left = {rule.result, left.previous, right.next};
    symbols[left.next].previous = position;
    if (left.previous >= 0) push(left.previous);
    push(position);
  }

  ids.clear();
  for (int32_t i = 0; i < count; i = symbols[i].next) ids.push_back(symbols[i].id);
}

}  // namespace trivium
