// Whether an expert does what its correlation suggests: disable it and see which tasks suffer
// (docs/spec/task_level.md, section 13).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/analysis/correlation_report.h"
#include "core/analysis/task_features.h"
#include "core/base/json.h"
#include "core/metrics/metric.h"
#include "core/routes/task_route.h"
#include "learning/model/seq2seq_model.h"

namespace trivium::learning {

// The route of row `task` where one expert of a pool may not be taken: its logit is lowered by 1e10
// before the selection, so that the argmax moves on, or softmax weights are shared out anew. In a
// table of routes the expert's weight goes to the others in proportion to theirs, in equal parts
// where they have none.
TaskRoute route_without_expert(Seq2SeqModel& model, int64_t task, double temperature,
                               const LayerPlace& place, size_t expert);

// What disabling one expert does. A drop is a task's score before less its score after.
struct DisablingEffect {
  LayerPlace place;
  size_t expert = 0;
  double drop_with = 0;                          // mean over the tasks with the feature
  double drop_without = 0;                       // mean over the others
  size_t changed_with = 0, changed_without = 0;  // tasks whose route is another one now
  double difference() const { return drop_with - drop_without; }
};

struct PairEffect {
  FeatureExpert pair;
  size_t tasks_with = 0, tasks_without = 0;
  DisablingEffect effect;
  Interval interval;  // 95 % of the difference: bootstrap over the tasks of both groups
  std::vector<DisablingEffect> random;  // the same feature, other experts
  // The difference is surely above 0 and larger than with every random expert.
  bool is_specific() const;
};

struct DisablingReport {
  double mean_score = 0;  // of all tasks, nothing disabled
  size_t unused = 0;      // pairs left out: no task with the feature takes the expert
  std::vector<PairEffect> pairs;
};

// The score of a task (a place in the table of features) on a route.
using RouteScorer = std::function<double(size_t task, const TaskRoute& route)>;

struct DisablingOptions {
  double temperature = 1;  // of the model's selection
  size_t pairs = 5;        // the likeliest to be real, among those with r > 0
  size_t random = 5;       // other experts to compare each with
  uint64_t seed = 1;       // of the choice of the others, and of the bootstrap
};

// `rows`: of the features' tasks among the model's. A task is scored once a route: most experts
// serve few tasks. Left out are pairs with a feature that all tasks or none have, or with an expert
// that no task with the feature takes.
DisablingReport disable_experts(Seq2SeqModel& model, const std::vector<int64_t>& rows,
                                const FeatureTable& features,
                                const std::vector<FeatureExpert>& pairs, const RouteScorer& score,
                                const DisablingOptions& options);

// A Markdown table and the verdict in words.
std::string to_markdown(const DisablingReport& report);
Json to_json(const DisablingReport& report);

}  // namespace trivium::learning
