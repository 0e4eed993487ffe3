// A StepDecoder without a model: its logits are an integer hash of the source, the last few tokens
// and the token asked for; tools/make_search_golden.py has the same function.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <vector>

#include "core/generation/step_decoder.h"

namespace trivium {

struct Toy {
  uint32_t seed = 1;
  int32_t vocab_size = 12;
  size_t memory = 100;    // how many of the last tokens most of a logit depends on
  int32_t eos_bonus = 0;  // added to the logit of token 2
};

class ToyDecoder : public StepDecoder {
 public:
  // Of `sources`, `places` are decoded at once and the others wait; 0: all at once.
  explicit ToyDecoder(const Toy& toy, int sources = 3, int places = 0)
      : toy_(toy), sources_(sources), places_(places == 0 ? sources : places) {
    while (next_source_ < std::min(sources_, places_)) rows_.push_back({next_source_++, {}});
  }

  // A source more, which waits.
  void add_source() { ++sources_; }

  int64_t waiting() const override { return sources_ - next_source_; }
  int64_t admit() override {
    std::set<int> taken;
    for (const Row& row : rows_) taken.insert(row.source);
    int64_t count = 0;
    for (auto free = places_ - static_cast<int>(taken.size()); free > 0 && waiting() > 0; --free) {
      rows_.push_back({next_source_++, {}});
      ++count;
    }
    return count;
  }

  int64_t vocab_size() const override { return toy_.vocab_size; }
  int64_t rows() const override { return static_cast<int64_t>(rows_.size()); }

  std::span<const float> step(std::span<const int32_t> tokens) override {
    EXPECT_EQ(tokens.size(), rows_.size());
    rows_stepped += static_cast<int64_t>(rows_.size());
    ++steps;
    logits_.clear();
    for (size_t i = 0; i < rows_.size(); ++i) {
      rows_[i].ids.push_back(tokens[i]);
      const std::vector<float> row = logits(rows_[i].source, rows_[i].ids);
      logits_.insert(logits_.end(), row.begin(), row.end());
    }
    return logits_;
  }

  void select_rows(std::span<const int32_t> parents) override {
    EXPECT_TRUE(!parents.empty() || waiting() > 0);
    std::vector<Row> selected;
    for (const int32_t parent : parents) selected.push_back(rows_.at(parent));
    rows_ = selected;
  }

  // After `ids`, the start token included: [vocab_size].
  std::vector<float> logits(int source, std::span<const int32_t> ids) const {
    const std::vector<uint32_t> recent = hash(source, ids.last(std::min(ids.size(), toy_.memory)));
    const std::vector<uint32_t> whole = hash(source, ids);
    std::vector<float> result;
    for (int32_t token = 0; token < toy_.vocab_size; ++token) {
      const uint32_t sum = (recent[token] >> 12) + (whole[token] >> 22);
      result.push_back(static_cast<float>(sum) / 131072.0f);
    }
    result[2] += static_cast<float>(toy_.eos_bonus);
    return result;
  }

  double log_probability(int source, const std::vector<int32_t>& ids, int32_t token) const {
    const std::vector<float> row = logits(source, ids);
    double sum = 0;
    for (const float logit : row) sum += std::exp(double{logit});
    return row[token] - std::log(sum);
  }

  int64_t rows_stepped = 0;  // the compute spent: the sum of rows() over all steps
  int64_t steps = 0;

 private:
  struct Row {
    int source = 0;
    std::vector<int32_t> ids;
  };

  std::vector<uint32_t> hash(int source, std::span<const int32_t> ids) const {
    uint32_t state = static_cast<uint32_t>(source) * 0x27D4EB2Fu + toy_.seed;
    for (const int32_t id : ids) {
      state = (state ^ static_cast<uint32_t>(id + 1)) * 0x01000193u;
      state ^= state >> 15;
    }
    std::vector<uint32_t> result;
    for (int32_t token = 0; token < toy_.vocab_size; ++token) {
      uint32_t x = state + static_cast<uint32_t>(token + 1) * 0x9E3779B9u;
      x = (x ^ (x >> 16)) * 0x85EBCA6Bu;
      x = (x ^ (x >> 13)) * 0xC2B2AE35u;
      result.push_back(x ^ (x >> 16));
    }
    return result;
  }

  Toy toy_;
  int sources_, places_;
  int next_source_ = 0;
  std::vector<Row> rows_;
  std::vector<float> logits_;
};

}  // namespace trivium
