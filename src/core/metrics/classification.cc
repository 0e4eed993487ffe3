// Macro F1 and Matthews correlation: labels are compared as whole strings, case and all, with the
// first gold; an item without golds has the gold "".
#include <cmath>
#include <unordered_map>

#include "core/metrics/families.h"

namespace trivium {
namespace {

std::string_view first_gold(const Scored& item) {
  return item.golds.empty() ? std::string_view() : std::string_view(item.golds.front());
}

// Labels as numbers from 0, in the order of their first appearance.
class LabelIds {
 public:
  uint32_t id(std::string_view label) {
    return ids_.try_emplace(label, static_cast<uint32_t>(ids_.size())).first->second;
  }
  size_t size() const { return ids_.size(); }

 private:
  std::unordered_map<std::string_view, uint32_t> ids_;
};

// How often each class was gold, predicted, and both.
struct ClassCounts {
  double gold = 0, predicted = 0, both = 0;
};

class LabelledItems : public PreparedItems {
 public:
  using Formula = double (*)(const std::vector<ClassCounts>& counts, double items);

  LabelledItems(Formula formula, size_t items) : formula_(formula) { labels_.reserve(items); }

  void add(uint32_t gold, uint32_t predicted) {
    labels_.emplace_back(gold, predicted);
    num_classes_ = std::max<size_t>(num_classes_, std::max(gold, predicted) + size_t{1});
  }

  double score(std::span<const uint32_t> indices) const override {
    std::vector<ClassCounts> counts(num_classes_);
    for (const uint32_t i : indices) {
      const auto [gold, predicted] = labels_[i];
      ++counts[gold].gold;
      ++counts[predicted].predicted;
      if (gold == predicted) ++counts[gold].both;
    }
    return formula_(counts, static_cast<double>(indices.size()));
  }

 private:
  Formula formula_;
  std::vector<std::pair<uint32_t, uint32_t>> labels_;  // (gold, predicted) of each item
  size_t num_classes_ = 0;
};

// The mean F1 of the classes that occur as gold or prediction: a prediction outside the label set
// adds a class with F1 0 and so lowers the mean (as scikit-learn's f1_score(average="macro")).
double macro_f1(const std::vector<ClassCounts>& counts, double /*items*/) {
  double sum = 0;
  int classes = 0;
  for (const ClassCounts& count : counts) {
    if (count.gold + count.predicted == 0) continue;
    sum += 2 * count.both / (count.gold + count.predicted);
    ++classes;
  }
  return sum / classes;
}

double f1_of_class_1(const std::vector<ClassCounts>& counts, double /*items*/) {
  if (counts.size() < 2 || counts[1].gold + counts[1].predicted == 0) return 0;
  return 2 * counts[1].both / (counts[1].gold + counts[1].predicted);
}

// Gorodkin's multi-class form, as scikit-learn's matthews_corrcoef; with two classes it is the
// usual one. 0 where golds or predictions are all of one class.
double matthews(const std::vector<ClassCounts>& counts, double items) {
  double correct = 0, gold_predicted = 0, gold_gold = 0, predicted_predicted = 0;
  for (const ClassCounts& count : counts) {
    correct += count.both;
    gold_predicted += count.gold * count.predicted;
    gold_gold += count.gold * count.gold;
    predicted_predicted += count.predicted * count.predicted;
  }
  const double covariance = correct * items - gold_predicted;
  const double variances = (items * items - gold_gold) * (items * items - predicted_predicted);
  return variances > 0 ? covariance / std::sqrt(variances) : 0;
}

class MacroF1 : public Metric {
 public:
  std::string_view name() const override { return "macro_f1"; }

  std::unique_ptr<PreparedItems> prepare(const std::vector<Scored>& items) const override {
    LabelIds ids;
    auto prepared = std::make_unique<LabelledItems>(macro_f1, items.size());
    for (const Scored& item : items)
      prepared->add(ids.id(first_gold(item)), ids.id(item.prediction));
    return prepared;
  }
};

// MultiRC's F1a: precision and recall of the answer "true", over all options of all questions.
class F1True : public Metric {
 public:
  std::string_view name() const override { return "f1_true"; }

  std::unique_ptr<PreparedItems> prepare(const std::vector<Scored>& items) const override {
    auto prepared = std::make_unique<LabelledItems>(f1_of_class_1, items.size());
    for (const Scored& item : items) {
      prepared->add(uint32_t{first_gold(item) == "true"}, uint32_t{item.prediction == "true"});
    }
    return prepared;
  }
};

// Where the golds are CoLA's two labels, as CrossFit: "acceptable" against everything else, so that
// a prediction that is neither counts as "unacceptable". Otherwise every string is a class of its
// own.
class Matthews : public Metric {
 public:
  std::string_view name() const override { return "matthews"; }

  std::unique_ptr<PreparedItems> prepare(const std::vector<Scored>& items) const override {
    bool is_cola = true;
    for (const Scored& item : items) {
      const std::string_view gold = first_gold(item);
      is_cola = is_cola && (gold == "acceptable" || gold == "unacceptable");
    }
    LabelIds ids;
    const auto id = [&](std::string_view label) {
      return is_cola ? uint32_t{label == "acceptable"} : ids.id(label);
    };
    auto prepared = std::make_unique<LabelledItems>(matthews, items.size());
    for (const Scored& item : items) prepared->add(id(first_gold(item)), id(item.prediction));
    return prepared;
  }
};

}  // namespace

std::unique_ptr<Metric> make_macro_f1() { return std::make_unique<MacroF1>(); }
std::unique_ptr<Metric> make_f1_true() { return std::make_unique<F1True>(); }
std::unique_ptr<Metric> make_matthews() { return std::make_unique<Matthews>(); }

}  // namespace trivium
