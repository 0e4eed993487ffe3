// Every instruction set's products against a sum in double of the same rounded factors.
#include "core/kernels/block_kernels.h"

#include <gtest/gtest.h>

#include <cmath>

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
    Activations activations(type);
    activations.resize(rows, depth);
    for (int64_t r = 0; r < rows; ++r) activations.set_row(r, input.data() + r * depth);
    ThreadPool pool(threads);
    const CpuContext context = {&pool, &block_kernels(GetParam().instructions)};
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
    Activations rows(GetParam().type);
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
    Activations activations(GetParam().type);
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
  Activations activations(ComputeType::kFloat32);
  activations.resize(rows, depth);
  for (int64_t r = 0; r < rows; ++r) activations.set_row(r, input.data() + r * depth);
  ThreadPool pool(2);
  const CpuContext context = {&pool, &block_kernels(available_instruction_sets().back())};
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

TEST(Activations, ValuesThatAreNotFiniteSpoilTheirRowOnly) {
  Activations rows(ComputeType::kInt8);
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
