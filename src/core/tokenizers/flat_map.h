// A hash map of integers with open addressing: several times faster than std::unordered_map where
// millions of look-ups decide the time of encode.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace trivium {

class FlatMap {
 public:
  static constexpr uint32_t kNone = ~uint32_t{0};

  // The value, or kNone. `key` is less than 2^64 - 1.
  uint32_t find(uint64_t key) const { return slots_[slot(key)].value; }

  // `value` is not kNone; replaces an earlier value.
  void insert(uint64_t key, uint32_t value) {
    if (used_ * 2 >= slots_.size()) grow();
    Slot& place = slots_[slot(key)];
    if (place.value == kNone) ++used_;
    place = {key, value};
  }

 private:
  struct Slot {
    uint64_t key = ~uint64_t{0};
    uint32_t value = kNone;
  };

  // Where `key` is, or the free slot where it belongs.
  size_t slot(uint64_t key) const {
    const size_t mask = slots_.size() - 1;
    size_t i = static_cast<size_t>(key * 0x9E3779B97F4A7C15u >> 24) & mask;
    while (slots_[i].key != key && slots_[i].value != kNone) i = (i + 1) & mask;
    return i;
  }

  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& entry : old) {
      if (entry.value != kNone) slots_[slot(entry.key)] = entry;
    }
  }

  std::vector<Slot> slots_ = std::vector<Slot>(1024);  // a power of two, at most half full
  size_t used_ = 0;
};

}  // namespace trivium
