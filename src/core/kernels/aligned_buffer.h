// Memory for kernels: aligned to a cache line, never shrunk, so that a second batch of a size
// allocates no more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <type_traits>

namespace trivium {

// `bytes` bytes aligned to a cache line and zeroed, to be given to std::free. Large blocks ask the
// system for large pages, so that reading them misses the processor's table of pages less often.
// std::bad_alloc where there is no memory.
void* allocate_aligned(size_t bytes);

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
      memory_.reset(static_cast<T*>(allocate_aligned(static_cast<size_t>(count) * sizeof(T))));
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
