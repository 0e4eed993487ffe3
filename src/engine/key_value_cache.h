// Keys and values of the positions decoded so far. A cell holds one position of one row in every
// layer; rows are lists of cells. Beams that share a beginning share its cells, so that reordering
// beams copies lists of numbers and no keys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/aligned_buffer.h"
#include "kernels/packed_matrix.h"

namespace trivium {

class KeyValueCache {
 public:
  // `planes`: layers times the experts that a row may use in one (1 where routes are one-hot).
  // `type`: float32 or bfloat16.
  KeyValueCache(ComputeType type, int64_t planes, int64_t d_model);

  // Room for `cells` cells; more are made when they run out, which copies the cache.
  void reserve(int64_t cells);

  // A cell with one user.
  int32_t add();
  void share(int32_t cell) { ++users_[static_cast<size_t>(cell)]; }
  void drop(int32_t cell);

  // Keys [d_model] of cell c in `plane`: keys(plane) + c * stride(), in elements of `type`; its
  // values follow d_model elements behind.
  void* keys(int64_t plane) { return planes_[static_cast<size_t>(plane)].data(); }
  int64_t stride() const { return 2 * d_model_; }
  ComputeType type() const { return type_; }
  int64_t cells_in_use() const { return static_cast<int64_t>(users_.size() - free_.size()); }

 private:
  ComputeType type_;
  int64_t d_model_;
  std::vector<AlignedBuffer<std::byte>> planes_;
  std::vector<int32_t> users_;  // of each cell
  std::vector<int32_t> free_;   // cells without users, the lowest last
};

}  // namespace trivium
