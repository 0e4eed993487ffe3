// CUDA's attention of single queries against a softmax in double.
#include "core/kernels/row_attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/base/rng.h"
#include "core/kernels/cuda_device.h"
#include "core/kernels/elementary.h"

namespace trivium {
namespace {

struct Case {
  ComputeType type;
  int64_t heads, head_dim;
  std::vector<int32_t> lengths;  // of each sequence
  bool cached;                   // through cells, the query's own keys stored first
};

// One query a sequence. What no query may read is not a number.
class Attention {
 public:
  Attention(cuda::Stream& stream, const Case& sizes, uint64_t seed)
      : stream_(stream), case_(sizes), width_(sizes.heads * sizes.head_dim) {
    Rng rng(seed);
    const auto value = [&] { return static_cast<float>(rng.normal()); };
    int32_t total = 0, longest = 0;
    for (const int32_t length : sizes.lengths) {
      begins_.push_back(sizes.cached ? 2 : total);
      total += length;
      longest = std::max(longest, length);
    }
    cells_stride_ = longest + 1;
    places_.assign((total + 3) * 2 * width_, std::numeric_limits<float>::quiet_NaN());
    cells_.assign(sizes.lengths.size() * cells_stride_, 1 << 20);
    int32_t used = 0;
    for (size_t q = 0; q < sizes.lengths.size(); ++q) {
      for (int32_t i = 0; i < sizes.lengths[q]; ++i, ++used) {
        // A permutation: 5 and total + 1 or total + 2 have no common factor, or the order is kept.
        const int32_t cell = total % 5 ? used * 5 % total : used;
        cells_[q * cells_stride_ + i] = cell;
        const bool is_own = sizes.cached && i + 1 == sizes.lengths[q];
        if (is_own) continue;
        const int64_t place = begins_[q] + (sizes.cached ? cell : i);
        for (int64_t k = 0; k < 2 * width_; ++k) places_[place * 2 * width_ + k] = rounded(value());
      }
    }
    for (size_t i = 0; i < sizes.lengths.size() * 3 * width_; ++i) queries_.push_back(value());
  }

  std::vector<float> run() {
    const OnDevice<float> queries(stream_, queries_), wide(stream_, places_),
        out(stream_, case_.lengths.size() * width_);
    std::vector<uint16_t> narrow;
    for (const float place : places_) narrow.push_back(to_bfloat16(place));
    const OnDevice<uint16_t> narrow_places(stream_, narrow);
    const OnDevice<int32_t> begins(stream_, begins_), lengths(stream_, case_.lengths),
        cells(stream_, cells_);
    cuda::RowAttention attention;
    attention.queries = queries.get();
    attention.query_stride = 3 * width_;
    attention.type = case_.type;
    attention.places = narrow_places.get();
    if (case_.type == ComputeType::kFloat32) attention.places = wide.get();
    attention.place_stride = 2 * width_;
    attention.value_offset = width_;
    attention.begins = begins.get();
    attention.lengths = lengths.get();
    if (case_.cached) {
      attention.store_own = true;
      attention.cells = cells.get();
      attention.cells_stride = cells_stride_;
    }
    attention.out = out.get();
    attention.num_queries = static_cast<int64_t>(case_.lengths.size());
    attention.num_heads = case_.heads;
    attention.head_dim = case_.head_dim;
    cuda::attend_rows(stream_, attention);
    return out.to_host();
  }

  // A score's error is at most e = (head_dim + 3) u sum |q k| / sqrt(head_dim); a weight exp(s - m)
  // is then off by the factor exp(2 e) and 4 u of expf and of |s - m| u; rescaling and the sums add
  // at most (length + 12) u. Weights and their sum share no sign of error, hence twice all that, of
  // sum p |v|.
  void expect_near_reference(const std::vector<float>& out) {
    constexpr double kU = 0x1p-24;
    for (size_t q = 0; q < case_.lengths.size(); ++q) {
      for (int64_t h = 0; h < case_.heads; ++h) {
        const int32_t length = case_.lengths[q];
        std::vector<double> scores;
        double largest = -1e300, smallest = 1e300, score_error = 0;
        for (int32_t i = 0; i < length; ++i) {
          double score = 0, size = 0;
          for (int64_t k = 0; k < case_.head_dim; ++k) {
            const double term = static_cast<double>(queries_[q * 3 * width_ + at(h, k)]) *
                                place_value(q, i, at(h, k));
            score += term;
            size += std::abs(term);
          }
          const double root = std::sqrt(static_cast<double>(case_.head_dim));
          scores.push_back(score / root);
          largest = std::max(largest, scores.back());
          smallest = std::min(smallest, scores.back());
          score_error =
              std::max(score_error, static_cast<double>(case_.head_dim + 3) * kU * size / root);
        }
        double sum = 0;
        for (double& score : scores) sum += score = std::exp(score - largest);
        for (int64_t k = 0; k < case_.head_dim; ++k) {
          double value = 0, size = 0;
          for (int32_t i = 0; i < length; ++i) {
            const double part = scores[i] / sum * place_value(q, i, width_ + at(h, k));
            value += part;
            size += std::abs(part);
          }
          const double relative = 2 * (2 * score_error + (largest - smallest + 16 + length) * kU);
          ASSERT_LE(std::abs(out[q * width_ + at(h, k)] - value), relative * size)
              << "query " << q << ", head " << h << ", element " << k;
        }
      }
    }
  }

 private:
  float rounded(float value) const {
    return case_.type == ComputeType::kFloat32 ? value : from_bfloat16(to_bfloat16(value));
  }
  int64_t at(int64_t head, int64_t k) const { return head * case_.head_dim + k; }
  // Element k of the keys (and, width_ behind, of the values) at a query's position.
  double place_value(size_t q, int32_t position, int64_t k) const {
    if (case_.cached && position + 1 == case_.lengths[q]) {
      return rounded(queries_[(3 * q + 1) * width_ + k]);
    }
    const int32_t cell = case_.cached ? cells_[q * cells_stride_ + position] : position;
    return places_[(begins_[q] + cell) * 2 * width_ + k];
  }

  cuda::Stream& stream_;
  Case case_;
  int64_t width_, cells_stride_ = 0;
  std::vector<int32_t> begins_, cells_;
  std::vector<float> queries_, places_;
};

TEST(RowAttentionTest, AgreesWithDouble) {
  TRIVIUM_NEEDS_CUDA();
  cuda::Stream stream(0);
  for (const ComputeType type : {ComputeType::kFloat32, ComputeType::kBfloat16}) {
    for (const bool cached : {false, true}) {
      uint64_t seed = 1;
      for (const int64_t head_dim : {2, 6, 32, 64, 66, 128, 130, 256}) {
        SCOPED_TRACE(testing::Message()
                     << name_of(type) << ", head_dim " << head_dim << (cached ? ", cached" : ""));
        Attention attention(stream, {type, 3, head_dim, {1, 2, 17, 4, 16, 33, 70}, cached}, ++seed);
        attention.expect_near_reference(attention.run());
        if (HasFatalFailure()) return;
      }
    }
  }
}

}  // namespace
}  // namespace trivium
