#include "core/engine/decoding_rows.h"

#include <algorithm>
#include <string>

#include "core/base/error.h"

namespace trivium {

void CellAccount::reserve(int64_t cells) {
  const int64_t old = capacity();
  if (cells <= old) return;
  users_.resize(static_cast<size_t>(cells), 0);
  free_.reserve(static_cast<size_t>(cells));
  std::vector<int32_t> added;
  for (int64_t cell = cells - 1; cell >= old; --cell) added.push_back(static_cast<int32_t>(cell));
  free_.insert(free_.begin(), added.begin(), added.end());
}

int32_t CellAccount::add() {
  if (free_.empty()) reserve(capacity() + std::max<int64_t>(64, capacity() / 2));
  const int32_t cell = free_.back();
  free_.pop_back();
  users_[static_cast<size_t>(cell)] = 1;
  return cell;
}

void CellAccount::drop(int32_t cell) {
  int32_t& users = users_[static_cast<size_t>(cell)];
  check(users > 0, "a cell is dropped by its users only");
  if (--users == 0) free_.push_back(cell);
}

void DecodingRows::add_cells(int64_t most_positions) {
  for (const DecodingRow& row : rows_) {
    if (static_cast<int64_t>(row.cells.size()) < most_positions) continue;
    throw Error(ExitCode::kUsage, "the output is longer than the model's " +
                                      std::to_string(most_positions) +
                                      " positions; lower --max-length");
  }
  for (DecodingRow& row : rows_) row.cells.push_back(account_.add());
}

bool DecodingRows::select(std::span<const int32_t> parents) {
  next_.resize(parents.size());
  for (size_t i = 0; i < parents.size(); ++i) {
    const DecodingRow& parent = rows_.at(static_cast<size_t>(parents[i]));
    next_[i].source = parent.source;
    next_[i].cells.assign(parent.cells.begin(), parent.cells.end());
    for (const int32_t cell : parent.cells) account_.share(cell);
  }
  for (const DecodingRow& row : rows_) {
    for (const int32_t cell : row.cells) account_.drop(cell);
  }
  const bool same_sources = std::equal(
      rows_.begin(), rows_.end(), next_.begin(), next_.end(),
      [](const DecodingRow& row, const DecodingRow& next) { return row.source == next.source; });
  std::swap(rows_, next_);
  return !same_sources;
}

}  // namespace trivium
