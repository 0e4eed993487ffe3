// The rows of a batch that is being decoded: which source each has, and which cells of the cache
// hold its positions. Both engines keep their keys and values by the numbers of these cells.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace trivium {

// Which cells of a cache are in use, and by how many rows. A cell holds one position of one row in
// every layer. Beams that share a beginning share its cells, so that reordering beams copies lists
// of numbers and no keys.
class CellAccount {
 public:
  // At least so many cells.
  void reserve(int64_t cells);
  int64_t capacity() const { return static_cast<int64_t>(users_.size()); }

  // A cell with one user; where none is free, the account grows.
  int32_t add();
  void share(int32_t cell) { ++users_[static_cast<size_t>(cell)]; }
  void drop(int32_t cell);
  int64_t cells_in_use() const { return capacity() - static_cast<int64_t>(free_.size()); }

 private:
  std::vector<int32_t> users_;  // of each cell
  std::vector<int32_t> free_;   // cells without users, the lowest last
};

struct DecodingRow {
  size_t source = 0;           // a number that the decoder gives each of its sources
  std::vector<int32_t> cells;  // one a position
};

class DecodingRows {
 public:
  int64_t size() const { return static_cast<int64_t>(rows_.size()); }
  bool empty() const { return rows_.empty(); }
  const DecodingRow& operator[](int64_t row) const { return rows_[static_cast<size_t>(row)]; }
  auto begin() const { return rows_.begin(); }
  auto end() const { return rows_.end(); }

  // A row without positions.
  void add(size_t source) { rows_.push_back({source, {}}); }

  // Gives every row a cell for its next position. Error kUsage, with nothing changed, where a row
  // has `most_positions` already.
  void add_cells(int64_t most_positions);

  // Row i becomes what row parents[i] was. Returns whether the rows' sources are other ones than
  // before.
  bool select(std::span<const int32_t> parents);

  const CellAccount& account() const { return account_; }
  void reserve(int64_t cells) { account_.reserve(cells); }

 private:
  std::vector<DecodingRow> rows_, next_;
  CellAccount account_;
};

}  // namespace trivium
