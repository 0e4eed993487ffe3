#include "core/base/memory.h"

#include <cstdlib>  // defines __GLIBC__, where it is the C library

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace trivium {

void keep_freed_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_MAX, 0);                    // no block of its own for a large tensor
  mallopt(M_TRIM_THRESHOLD, 2'000'000'000);  // bytes at the heap's end that are kept
  mallopt(M_TOP_PAD, 64 << 20);              // grow in steps of this
#endif
}

}  // namespace trivium
