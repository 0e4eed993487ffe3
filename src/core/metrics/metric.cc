#include "core/metrics/metric.h"

#include <numeric>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/metrics/families.h"

namespace trivium {
namespace {

constexpr std::unique_ptr<Metric> (*kMakers[])() = {
    make_accuracy,
    make_em,
    make_qa_f1,
    make_macro_f1,
    make_f1_true,
    make_matthews,
    make_rouge_l,
    make_rouge_l_crossfit,
    make_pearson,
    make_spearman,
    make_pearson_spearman,
};

}  // namespace

double Metric::score(const std::vector<Scored>& items) const {
  if (items.empty()) return 0;
  std::vector<uint32_t> all(items.size());
  std::iota(all.begin(), all.end(), 0u);
  return prepare(items)->score(all);
}

std::unique_ptr<Metric> make_metric(const std::string& name) {
  for (const auto make : kMakers) {
    std::unique_ptr<Metric> metric = make();
    if (metric->name() == name) return metric;
  }
  std::string all;
  for (const std::string& known : metric_names()) all += (all.empty() ? "" : ", ") + known;
  throw Error(ExitCode::kUsage, "unknown metric \"" + name + "\"" +
                                    did_you_mean(name, metric_names()) + " (metrics: " + all + ")");
}

std::vector<std::string> metric_names() {
  std::vector<std::string> names;
  for (const auto make : kMakers) names.emplace_back(make()->name());
  return names;
}

}  // namespace trivium
