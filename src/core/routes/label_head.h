// Answers of a task whose labels are fixed by a linear layer over sentence vectors, in the place of
// the decoder: what few examples teach best.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/host_tensor.h"

namespace trivium {

// A sentence vector is the mean of the encoder's output over a text's tokens, of length 1. Of a
// prompt of one part it is u itself that is read [d_model]; of two parts, [u, v, |u - v|, u * v]
// (Reimers, Gurevych 2019, section 3, and the product besides).
struct LabelHead {
  std::vector<std::string> labels;  // the answers, in the order of the rows
  int64_t parts = 1;                // 1 or 2
  HostTensor weight;                // [labels, d_model or 4 * d_model]
  HostTensor bias;                  // [labels]
};

// How many numbers a head of so many parts reads.
constexpr int64_t head_features(int64_t parts, int64_t d_model) {
  return parts == 1 ? d_model : 4 * d_model;
}

// The texts of a prompt's parts, which kFieldSeparator parts: of two, the first field, and all
// others with the marks between them. A part that is not there is empty.
std::vector<std::string> head_texts(std::string_view prompt, int64_t parts);

// The labels' log-probabilities by the parts' sentence vectors, which add up to 1 as probabilities.
std::vector<double> label_log_probabilities(const LabelHead& head,
                                            const std::vector<std::vector<float>>& vectors);

}  // namespace trivium
