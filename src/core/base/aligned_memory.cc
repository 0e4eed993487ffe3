#include "core/base/aligned_memory.h"

#include <cstdlib>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace trivium {

void* allocate_aligned(size_t bytes) {
  constexpr size_t kLine = 64, kLargePage = size_t{1} << 21;
  const bool is_large = bytes >= kLargePage;
  void* memory = nullptr;
  if (posix_memalign(&memory, is_large ? kLargePage : kLine, bytes == 0 ? kLine : bytes) != 0) {
    throw std::bad_alloc();
  }
#if defined(__linux__)
  // Advice: where the system has no large pages, it stays at small ones.
  if (is_large) madvise(memory, bytes / kLargePage * kLargePage, MADV_HUGEPAGE);
#endif
  return memory;
}

}  // namespace trivium
