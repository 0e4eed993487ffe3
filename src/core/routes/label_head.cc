#include "core/routes/label_head.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trivium {
namespace {

std::vector<float> features_of(const std::vector<std::vector<float>>& vectors) {
  std::vector<float> features = vectors.at(0);
  if (vectors.size() == 1) return features;
  const std::vector<float>&u = vectors[0], &v = vectors[1];
  features.insert(features.end(), v.begin(), v.end());
  for (size_t i = 0; i < u.size(); ++i) features.push_back(std::abs(u[i] - v[i]));
  for (size_t i = 0; i < u.size(); ++i) features.push_back(u[i] * v[i]);
  return features;
}

}  // namespace

std::vector<std::string> head_texts(std::string_view prompt, int64_t parts) {
  if (parts == 1) return {std::string(prompt)};
  const size_t mark = std::min(prompt.find(kFieldSeparator), prompt.size());
  const size_t rest = std::min(mark + 1, prompt.size());
  return {std::string(prompt.substr(0, mark)), std::string(prompt.substr(rest))};
}

std::vector<double> label_log_probabilities(const LabelHead& head,
                                            const std::vector<std::vector<float>>& vectors) {
  check(std::ssize(vectors) == head.parts, "a sentence vector of every part");
  const std::vector<float> features = features_of(vectors);
  check(std::ssize(features) == head.weight.shape.at(1), "as many features as the head reads");
  std::vector<double> scores;
  for (size_t label = 0; label < head.labels.size(); ++label) {
    const float* row = head.weight.values.get() + label * features.size();
    double score = head.bias.values.get()[label];
    for (size_t i = 0; i < features.size(); ++i) score += double{row[i]} * features[i];
    scores.push_back(score);
  }
  const double most = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (const double score : scores) sum += std::exp(score - most);
  for (double& score : scores) score -= most + std::log(sum);
  return scores;
}

}  // namespace trivium
