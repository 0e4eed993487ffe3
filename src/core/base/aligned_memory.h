// Memory for matrices.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <type_traits>

namespace trivium {

// `bytes` bytes, not initialised, aligned to a cache line, to be given to std::free. Large blocks
// ask the system for large pages: the first write of a page then costs less, and reading misses the
// processor's table of pages less often. std::bad_alloc where there is no memory.
void* allocate_aligned(size_t bytes);

// `count` elements of such memory.
template <typename T>
std::shared_ptr<T[]> uninitialised(size_t count) {
  static_assert(std::is_trivial_v<T>);
  return {static_cast<T*>(allocate_aligned(count * sizeof(T))),
          [](T* memory) { std::free(memory); }};
}

}  // namespace trivium
