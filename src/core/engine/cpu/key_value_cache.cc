#include "core/engine/cpu/key_value_cache.h"

#include <cstring>
#include <utility>

namespace trivium {

KeyValueCache::KeyValueCache(ComputeType type, int64_t planes, int64_t d_model)
    : type_(type), d_model_(d_model), planes_(static_cast<size_t>(planes)) {}

void KeyValueCache::reserve(int64_t cells) {
  if (cells <= cells_) return;
  const int64_t cell_bytes = stride() * size_of(type_);
  for (AlignedBuffer<std::byte>& plane : planes_) {
    AlignedBuffer<std::byte> larger(cells * cell_bytes);
    if (cells_ > 0) {
      std::memcpy(larger.data(), plane.data(), static_cast<size_t>(cells_ * cell_bytes));
    }
    plane = std::move(larger);
  }
  cells_ = cells;
}

}  // namespace trivium
