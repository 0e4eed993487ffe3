#include "core/engine/decoding_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "core/base/rng.h"
#include "core/base/temporary_folder.h"

namespace trivium {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using Cells = std::vector<int32_t>;

TEST(CellAccountTest, GivesTheLowestFreeCellAndTakesItBackFromTheLastUser) {
  CellAccount account;
  account.reserve(3);
  EXPECT_EQ(account.capacity(), 3);
  EXPECT_EQ(account.add(), 0);
  EXPECT_EQ(account.add(), 1);
  account.share(0);
  account.drop(0);
  EXPECT_EQ(account.cells_in_use(), 2) << "the other user still has it";
  account.drop(0);
  EXPECT_EQ(account.cells_in_use(), 1);
  EXPECT_EQ(account.add(), 0);
  EXPECT_EQ(account.add(), 2);
  EXPECT_EQ(account.capacity(), 3);
  EXPECT_EQ(account.add(), 3) << "where none is free it grows";
  EXPECT_GT(account.capacity(), 3);
  EXPECT_EQ(account.cells_in_use(), 4);
}

TEST(CellAccountTest, NeverShrinksAndKeepsWhatIsUsed) {
  CellAccount account;
  account.reserve(2);
  account.add();
  account.reserve(5);
  account.reserve(1);
  EXPECT_EQ(account.capacity(), 5);
  EXPECT_EQ(account.cells_in_use(), 1);
  Cells rest;
  for (int i = 0; i < 4; ++i) rest.push_back(account.add());
  EXPECT_EQ(rest, (Cells{1, 2, 3, 4}));
}

TEST(CellAccountTest, DroppingACellThatNobodyHasIsABug) {
  CellAccount account;
  account.reserve(2);
  const int32_t cell = account.add();
  account.drop(cell);
  EXPECT_THROW(account.drop(cell), std::logic_error);
}

DecodingRows rows_of(const std::vector<size_t>& sources, int steps) {
  DecodingRows rows;
  for (const size_t source : sources) rows.add(source);
  for (int i = 0; i < steps; ++i) rows.add_cells(100);
  return rows;
}

TEST(DecodingRowsTest, EveryPositionHasACellOfItsOwn) {
  const DecodingRows rows = rows_of({4, 7, 9}, 2);
  ASSERT_EQ(rows.size(), 3);
  EXPECT_FALSE(rows.empty());
  EXPECT_TRUE(DecodingRows().empty());
  EXPECT_EQ(rows[1].source, 7u);
  std::set<int32_t> cells;
  for (const DecodingRow& row : rows) {
    EXPECT_EQ(row.cells.size(), 2u);
    cells.insert(row.cells.begin(), row.cells.end());
  }
  EXPECT_EQ(cells.size(), 6u);
  EXPECT_EQ(rows.account().cells_in_use(), 6);
}

TEST(DecodingRowsTest, BeamsShareTheirBeginning) {
  DecodingRows rows = rows_of({4, 7}, 2);
  const Cells first = rows[0].cells;
  EXPECT_TRUE(rows.select(Cells{0, 0, 0})) << "row 1 has another source than before";
  EXPECT_EQ(rows.account().cells_in_use(), 2) << "row 1's cells are free, row 0's are shared";
  for (const DecodingRow& row : rows) EXPECT_EQ(row.cells, first);
  rows.add_cells(100);
  EXPECT_EQ(rows.account().cells_in_use(), 2 + 3);
  EXPECT_EQ(Cells(rows[2].cells.begin(), rows[2].cells.begin() + 2), first);
  EXPECT_NE(rows[0].cells[2], rows[1].cells[2]);
  EXPECT_FALSE(rows.select(Cells{2, 2, 0})) << "all of one source, as before";
  EXPECT_EQ(rows.account().cells_in_use(), 2 + 2);
  rows.select(Cells{});
  EXPECT_EQ(rows.account().cells_in_use(), 0);
}

TEST(DecodingRowsTest, TellsWhetherSourcesHaveChanged) {
  DecodingRows rows = rows_of({4, 4, 7}, 1);
  EXPECT_FALSE(rows.select(Cells{1, 0, 2}));
  EXPECT_TRUE(rows.select(Cells{2, 0, 1}));
  EXPECT_TRUE(rows.select(Cells{0, 1}));
  EXPECT_THROW(rows.select(Cells{2}), std::out_of_range);
}

TEST(DecodingRowsTest, ARowThatIsFullChangesNothing) {
  DecodingRows rows = rows_of({0}, 3);
  rows.add(1);  // a younger one
  EXPECT_THAT(error_of([&] { rows.add_cells(3); }),
              AllOf(StartsWith("2: "), HasSubstr("3 positions"), HasSubstr("--max-length")));
  EXPECT_EQ(rows[0].cells.size(), 3u);
  EXPECT_TRUE(rows[1].cells.empty());
  EXPECT_EQ(rows.account().cells_in_use(), 3);
  rows.add_cells(4);
  EXPECT_EQ(rows[0].cells.size(), 4u);
}

// Against a model that keeps what each row has written: cells hold it whatever is selected.
TEST(DecodingRowsTest, ALongWalkKeepsEveryRowsHistory) {
  Rng rng(3);
  DecodingRows rows;
  std::vector<std::vector<int>> histories;
  std::map<int32_t, int> written;  // by cell
  int next = 0;
  for (int step = 0; step < 200; ++step) {
    while (rows.size() < 2) {
      rows.add(rng.below(5));
      histories.emplace_back();
    }
    rows.add_cells(1000);
    for (int64_t row = 0; row < rows.size(); ++row) {
      written[rows[row].cells.back()] = next;
      histories[static_cast<size_t>(row)].push_back(next++);
    }
    Cells parents;
    for (size_t i = rng.below(7); i > 0; --i) {
      parents.push_back(static_cast<int32_t>(rng.below(static_cast<uint64_t>(rows.size()))));
    }
    rows.select(parents);
    std::vector<std::vector<int>> chosen;
    for (const int32_t parent : parents) chosen.push_back(histories[static_cast<size_t>(parent)]);
    histories = chosen;
    std::set<int32_t> used;
    for (int64_t row = 0; row < rows.size(); ++row) {
      std::vector<int> found;
      for (const int32_t cell : rows[row].cells) found.push_back(written.at(cell));
      ASSERT_EQ(found, histories[static_cast<size_t>(row)]) << "step " << step;
      used.insert(rows[row].cells.begin(), rows[row].cells.end());
    }
    ASSERT_EQ(rows.account().cells_in_use(), static_cast<int64_t>(used.size()));
  }
}

}  // namespace
}  // namespace trivium
