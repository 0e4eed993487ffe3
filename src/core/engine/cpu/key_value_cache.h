// Keys and values of the positions decoded so far, by the cells of the rows' account
// (core/engine/decoding_rows.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/kernels/aligned_buffer.h"
#include "core/kernels/packed_matrix.h"

namespace trivium {

class KeyValueCache {
 public:
  // `planes`: layers times the experts that a row may use in one (1 where routes are one-hot).
  // `type`: float32 or bfloat16.
  KeyValueCache(ComputeType type, int64_t planes, int64_t d_model);

  // Room for `cells` cells in every plane; more than there is now copies the cache.
  void reserve(int64_t cells);

  // Keys [d_model] of cell c in `plane`: keys(plane) + c * stride(), in elements of `type`; its
  // values follow d_model elements behind.
  void* keys(int64_t plane) { return planes_[static_cast<size_t>(plane)].data(); }
  int64_t stride() const { return 2 * d_model_; }
  ComputeType type() const { return type_; }

 private:
  ComputeType type_;
  int64_t d_model_;
  int64_t cells_ = 0;
  std::vector<AlignedBuffer<std::byte>> planes_;
};

}  // namespace trivium
