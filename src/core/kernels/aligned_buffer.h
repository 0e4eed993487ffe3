// Memory for kernels: aligned to a cache line, never shrunk, so that a second batch of a size
// allocates no more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <type_traits>

#include "core/base/aligned_memory.h"

namespace trivium {

template <typename T>
class AlignedBuffer {
  static_assert(std::is_trivial_v<T>);

 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(int64_t count) { reserve(count); }

  // Room for `count` values, zeroed when they are new; what was there is lost when it grows.
  // std::bad_alloc, and an empty buffer, where there is no memory.
  T* reserve(int64_t count) {
    if (count > count_) {
      clear();  // before the new block, so that both never exist together
      const size_t bytes = static_cast<size_t>(count) * sizeof(T);
      memory_.reset(static_cast<T*>(allocate_aligned(bytes)));
      std::memset(memory_.get(), 0, bytes);
      count_ = count;
    }
    return memory_.get();
  }

  void clear() {
    memory_.reset();
    count_ = 0;
  }

  T* data() { return memory_.get(); }
  const T* data() const { return memory_.get(); }
  int64_t size() const { return count_; }

 private:
  struct Free {
    void operator()(T* memory) const { std::free(memory); }
  };
  std::unique_ptr<T, Free> memory_;
  int64_t count_ = 0;
};

}  // namespace trivium
