#include "engine/key_value_cache.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace trivium {

KeyValueCache::KeyValueCache(ComputeType type, int64_t planes, int64_t d_model)
    : type_(type), d_model_(d_model), planes_(static_cast<size_t>(planes)) {}

void KeyValueCache::reserve(int64_t cells) {
  const auto old = static_cast<int64_t>(users_.size());
  if (cells <= old) return;
  const int64_t cell_bytes = stride() * size_of(type_);
  for (AlignedBuffer<std::byte>& plane : planes_) {
    AlignedBuffer<std::byte> larger(cells * cell_bytes);
    if (old > 0) std::memcpy(larger.data(), plane.data(), static_cast<size_t>(old * cell_bytes));
    plane = std::move(larger);
  }
  users_.resize(static_cast<size_t>(cells), 0);
  free_.reserve(static_cast<size_t>(cells));
  std::vector<int32_t> added;
  for (int64_t cell = cells - 1; cell >= old; --cell) added.push_back(static_cast<int32_t>(cell));
  free_.insert(free_.begin(), added.begin(), added.end());
}

int32_t KeyValueCache::add() {
  if (free_.empty()) {
    const auto cells = static_cast<int64_t>(users_.size());
    reserve(cells + std::max<int64_t>(64, cells / 2));
  }
  const int32_t cell = free_.back();
  free_.pop_back();
  users_[static_cast<size_t>(cell)] = 1;
  return cell;
}

void KeyValueCache::drop(int32_t cell) {
  int32_t& users = users_[static_cast<size_t>(cell)];
  check(users > 0, "a cell is dropped by its users only");
  if (--users == 0) free_.push_back(cell);
}

}  // namespace trivium
