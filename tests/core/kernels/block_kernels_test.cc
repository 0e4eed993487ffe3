// Every instruction set's products against a sum in double of the same rounded factors.
#include "core/kernels/block_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/kernels/activations.h"
#include "core/kernels/linear.h"

namespace trivium {
namespace {

std::vector<float> random_values(int64_t count, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(rng.uniform() * 2 - 1);
  return values;
}

struct Case {
  InstructionSet instructions;
  ComputeType type;
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const InstructionSet set : available_instruction_sets()) {
    for (const ComputeType type :
         {ComputeType::kFloat32, ComputeType::kBfloat16, ComputeType::kInt8}) {
      cases.push_back({set, type});
    }
  }
  return cases;
}

// One row as the product sees it: rounded, and for int8 back from its integers.
std::vector<double> as_rounded(ComputeType type, const std::vector<float>& values) {
  PackedMatrix matrix(type, 1, static_cast<int64_t>(values.size()));
  matrix.set_columns(0, 1, values.data(), 0);
  std::vector<float> row(values.size());
  matrix.get_column(0, row.data());
  return {row.begin(), row.end()};
}

class BlockKernelsTest : public ::testing::TestWithParam<Case> {
 protected:
  // linear() of `rows` x `depth` by `columns`, bias included, against the double sum.
  void expect_product(int64_t rows, int64_t depth, int64_t columns, int threads) {
    SCOPED_TRACE(testing::Message() << rows << " x " << depth << " x " << columns);
    const ComputeType type = GetParam().type;
    const std::vector<float> input = random_values(rows * depth, 1);
    const std::vector<float> weight = random_values(columns * depth, 2);
    std::vector<float> bias = random_values(columns, 3);
    bias.resize(static_cast<size_t>((columns + kBlock - 1) / kBlock * kBlock));
    PackedMatrix matrix(type, columns, depth);
    matrix.set_columns(0, columns, weight.data(), depth);
    const BlockKernels& kernels = block_kernels(GetParam().instructions);
    Activations activations(type, kernels);
    activations.resize(rows, depth);
    for (int64_t r = 0; r < rows; ++r) activations.set_row(r, input.data() + r * depth);
    ThreadPool pool(threads);
    const CpuContext context = {&pool, &kernels};
    // A column more than is written: it must stay.
    const int64_t stride = columns + 1;
    std::vector<float> out(static_cast<size_t>(rows * stride), -7.0f);
    const LinearPart part = {&matrix, bias.data(), rows};
    linear(context, activations, {&part, 1}, {out.data(), stride, false, nullptr});
    std::vector<float> column(static_cast<size_t>(depth));
    for (int64_t r = 0; r < rows; ++r) {
      const std::vector<double> row =
          as_rounded(type, {input.begin() + r * depth, input.begin() + (r + 1) * depth});
      for (int64_t c = 0; c < columns; ++c) {
        matrix.get_column(c, column.data());
        double sum = 0, size = 0;
        for (int64_t k = 0; k < depth; ++k) {
          sum += row[k] * column[k];
          size += std::abs(row[k] * column[k]);
        }
        // depth roundings of the sum in float32 (int8: exact, then two of the scales), one of the
        // bias.
        const double bound = (static_cast<double>(depth) * size + std::abs(bias[c]) + 1) * 6e-8;
        ASSERT_NEAR(out[r * stride + c], sum + bias[c], bound) << "row " << r << ", column " << c;
      }
      ASSERT_EQ(out[r * stride + columns], -7.0f);
    }
  }
};

TEST_P(BlockKernelsTest, ProductsAreTheDoubleSums) {
  for (const int64_t rows : {1, 2, 14, 15, 16, 17, 31, 32, 33, 70}) expect_product(rows, 96, 40, 1);
  for (const int64_t depth : {1, 2, 31, 32, 33, 63, 64, 65, 200}) expect_product(3, depth, 32, 1);
  for (const int64_t columns : {1, 15, 16, 17, 31, 32, 33, 100}) expect_product(5, 64, columns, 3);
}

TEST_P(BlockKernelsTest, ARowDoesNotDependOnItsNeighbours) {
  const int64_t depth = 100, columns = 64;
  const std::vector<float> input = random_values(40 * depth, 4);
  const std::vector<float> weight = random_values(columns * depth, 5);
  PackedMatrix matrix(GetParam().type, columns, depth);
  matrix.set_columns(0, columns, weight.data(), depth);
  ThreadPool pool(1);
  const CpuContext context = {&pool, &block_kernels(GetParam().instructions)};
  const auto product = [&](int64_t first, int64_t count) {
    Activations rows(GetParam().type, *context.blocks);
    rows.resize(count, depth);
    for (int64_t r = 0; r < count; ++r) rows.set_row(r, input.data() + (first + r) * depth);
    std::vector<float> out(static_cast<size_t>(count * columns));
    const LinearPart part = {&matrix, nullptr, count};
    linear(context, rows, {&part, 1}, {out.data(), columns, false, nullptr});
    return out;
  };
  const std::vector<float> all = product(0, 40);
  for (const int64_t row : {0, 13, 14, 16, 31, 32, 39}) {
    const std::vector<float> alone = product(row, 1);
    for (int64_t c = 0; c < columns; ++c) ASSERT_EQ(alone[c], all[row * columns + c]) << row;
  }
}

// Bit for bit what each part gives by itself, whoever computes it.
TEST_P(BlockKernelsTest, PartsTakeTheirOwnMatrices) {
  const int64_t depth = 70, columns = 90;
  const std::vector<int64_t> counts = {11, 0, 33, 1, 16};
  ThreadPool one(1), three(3);
  const BlockKernels& kernels = block_kernels(GetParam().instructions);
  std::vector<PackedMatrix> matrices;
  std::vector<std::vector<float>> biases;
  std::vector<LinearPart> parts;
  int64_t rows = 0;
  for (const int64_t count : counts) {
    const std::vector<float> weight = random_values(columns * depth, 6 + rows);
    matrices.emplace_back(GetParam().type, columns, depth)
        .set_columns(0, columns, weight.data(), depth);
    biases.push_back(random_values(96, 60 + rows));
    rows += count;
  }
  for (size_t i = 0; i < counts.size(); ++i) {
    parts.push_back({&matrices[i], biases[i].data(), counts[i]});
  }
  const std::vector<float> input = random_values(rows * depth, 7);
  const auto product = [&](ThreadPool& pool, std::span<const LinearPart> of, int64_t first,
                           int64_t count) {
    Activations activations(GetParam().type, kernels);
    activations.resize(count, depth);
    for (int64_t r = 0; r < count; ++r) {
      activations.set_row(r, input.data() + (first + r) * depth);
    }
    std::vector<float> out(static_cast<size_t>(count * columns));
    linear({&pool, &kernels}, activations, of, {out.data(), columns, true, nullptr});
    return out;
  };
  const std::vector<float> together = product(three, parts, 0, rows);
  std::vector<float> apart;
  int64_t first = 0;
  for (const LinearPart& part : parts) {
    const std::vector<float> own = product(one, {&part, 1}, first, part.rows);
    apart.insert(apart.end(), own.begin(), own.end());
    first += part.rows;
  }
  EXPECT_EQ(together, apart);
}

// A kernel's sums themselves, of integers at the ends of their range, where sums of two products
// would not fit into 16 bits: they are those of plain integers, so equal on all processors.
void expect_exact_integer_sums(const BlockKernels& kernels) {
  const int64_t depth = 3072 + 64;
  // Rows of one size throughout keep their values when they are rounded: scale 1/127 of 127.
  const std::vector<std::function<float(int64_t)>> patterns = {
      [](int64_t) { return 127.0f; }, [](int64_t) { return -127.0f; },
      [](int64_t k) { return k % 2 == 0 ? 127.0f : -127.0f; },
      [](int64_t k) { return k % 4 < 2 ? 127.0f : -127.0f; },
      [](int64_t k) { return k == 0 ? 127.0f : static_cast<float>(k * 89 % 255 - 127); }};
  const auto value = [&](int64_t row, int64_t k) {
    return patterns[static_cast<size_t>(row) % patterns.size()](k + row / 5);
  };
  const auto row_of = [&](int64_t row) {
    std::vector<float> values(static_cast<size_t>(depth));
    for (int64_t k = 0; k < depth; ++k) values[k] = k == depth - 1 ? 127.0f : value(row, k);
    return values;
  };
  PackedMatrix matrix(ComputeType::kInt8, kBlock, depth);
  for (int64_t c = 0; c < kBlock; ++c) matrix.set_columns(c, 1, row_of(c).data(), 0);
  for (const int64_t count : {1, 2, 3, 4, 5, 6, 7, 16, 32}) {
    Activations rows(ComputeType::kInt8, kernels);
    rows.resize(count, depth);
    for (int64_t r = 0; r < count; ++r) rows.set_row(r, row_of(r + 3).data());
    alignas(64) int32_t sums[kBlock * kBlock];
    kernels.begin();
    kernels.int8(rows.block(0, count), matrix.group(0), depth, matrix.column_sums(), sums);
    kernels.end();
    for (int64_t r = 0; r < count; ++r) {
      const std::vector<float> row = row_of(r + 3);
      for (int64_t c = 0; c < kBlock; ++c) {
        const std::vector<float> column = row_of(c);
        int64_t sum = 0;
        for (int64_t k = 0; k < depth; ++k) {
          sum += static_cast<int64_t>(row[k]) * static_cast<int64_t>(column[k]);
        }
        ASSERT_EQ(sums[r * kBlock + c], sum) << count << " rows, row " << r << ", column " << c;
      }
    }
  }
}

TEST(InstructionSets, IntegerSumsAreExact) {
  for (const InstructionSet set : available_instruction_sets()) {
    SCOPED_TRACE(name_of(set));
    expect_exact_integer_sums(block_kernels(set));
  }
}

TEST(InstructionSets, AreFoundByName) {
  for (const InstructionSet set : available_instruction_sets()) {
    EXPECT_EQ(instruction_set(name_of(set)), set);
  }
  EXPECT_THROW(instruction_set("mmx"), Error);
}

// Every set of instructions is a test of its own above; those that this processor lacks are named.
TEST(InstructionSets, AreTestedOrNamedAsSkipped) {
  const auto& available = available_instruction_sets();
  std::string skipped;
  for (const InstructionSet set : all_instruction_sets()) {
    if (std::find(available.begin(), available.end(), set) == available.end()) {
      skipped += std::string(" ") + name_of(set);
      EXPECT_THROW(block_kernels(set), std::logic_error) << name_of(set);
    }
  }
  if (!skipped.empty()) GTEST_SKIP() << "not on this processor, and so not tested:" << skipped;
}

std::string case_name(const ::testing::TestParamInfo<Case>& info) {
  return std::string(name_of(info.param.instructions)) + "_" + name_of(info.param.type);
}

INSTANTIATE_TEST_SUITE_P(All, BlockKernelsTest, ::testing::ValuesIn(all_cases()), case_name);

TEST(Linear, GeluThenResidual) {
  const int64_t rows = 5, depth = 20, columns = 50;
  const std::vector<float> input = random_values(rows * depth, 1);
  const std::vector<float> weight = random_values(columns * depth, 2);
  const std::vector<float> residual = random_values(rows * columns, 3);
  PackedMatrix matrix(ComputeType::kFloat32, columns, depth);
  matrix.set_columns(0, columns, weight.data(), depth);
  const BlockKernels& kernels = block_kernels(available_instruction_sets().back());
  Activations activations(ComputeType::kFloat32, kernels);
  activations.resize(rows, depth);
  for (int64_t r = 0; r < rows; ++r) activations.set_row(r, input.data() + r * depth);
  ThreadPool pool(2);
  const CpuContext context = {&pool, &kernels};
  std::vector<float> out = residual;  // in place
  const LinearPart part = {&matrix, nullptr, rows};
  linear(context, activations, {&part, 1}, {out.data(), columns, true, out.data()});
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      double x = 0;
      for (int64_t k = 0; k < depth; ++k) {
        x += static_cast<double>(input[r * depth + k]) * weight[c * depth + k];
      }
      const double expected = x * 0.5 * std::erfc(-x / std::sqrt(2.0)) + residual[r * columns + c];
      // GELU's own 0.75e-7 |x|, and its slope of at most 1.13 times the product's rounding.
      EXPECT_NEAR(out[r * columns + c], expected, 3e-6);
    }
  }
}

// A processor that multiplies and adds at once would round some of so many numbers to a neighbour.
TEST(Activations, AreRoundedToTheSameIntegersOnAllProcessors) {
  const int64_t count = 1 << 16;
  std::vector<int8_t> rounded(static_cast<size_t>(count));
  for (uint64_t seed = 0; seed < 64; ++seed) {
    const std::vector<float> values = random_values(count, seed);
    float largest = 0;
    for (const float value : values) largest = std::max(largest, std::abs(value));
    EXPECT_EQ(round_to_int8(values.data(), count, rounded.data()), largest / 127);
    const float inverse = 127 / largest;
    for (int64_t i = 0; i < count; ++i) {
      const volatile float product = values[i] * inverse;
      ASSERT_EQ(rounded[i], std::lrint(product)) << values[i] << " of " << largest;
    }
  }
}

TEST(Activations, ValuesThatAreNotFiniteSpoilTheirRowOnly) {
  Activations rows(ComputeType::kInt8, block_kernels(available_instruction_sets().back()));
  rows.resize(3, 40);
  std::vector<float> values = random_values(40, 1);
  rows.set_row(0, values.data());
  values[17] = INFINITY;
  rows.set_row(1, values.data());
  values[17] = NAN;
  rows.set_row(2, values.data());
  EXPECT_TRUE(std::isfinite(rows.scales()[0]));
  EXPECT_TRUE(std::isnan(rows.scales()[1]));
  EXPECT_TRUE(std::isnan(rows.scales()[2]));
}

TEST(PackedMatrix, UnknownComputeTypeIsAnError) {
  EXPECT_THROW(compute_type("float16"), std::exception);
  for (const char* name : {"float32", "bfloat16", "int8"}) {
    EXPECT_STREQ(name_of(compute_type(name)), name);
  }
}

}  // namespace
}  // namespace trivium
