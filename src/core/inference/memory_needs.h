// How much memory answering takes, before any of it is taken.
#pragma once

#include <cstdint>

#include "core/inference/loaded_model.h"
#include "core/kernels/packed_matrix.h"

namespace trivium {

struct MemoryNeeds {
  int64_t weights = 0;  // bytes, once every route has been used
  int64_t cells = 0;    // bytes of keys and values
};

// Of a model whose weights are `type` in memory, while it decodes; `tokens`: positions of the
// sources and of all rows of a batch together. Matrices are rounded up a little when they are
// packed, which is left out. Errors as TensorFiles.
MemoryNeeds memory_needs(const LoadedModel& model, ComputeType type, int64_t tokens);

}  // namespace trivium
