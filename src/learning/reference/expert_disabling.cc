#include "learning/reference/expert_disabling.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/text/table.h"
#include "learning/model/model_routes.h"
#include "learning/model/selection.h"

namespace trivium::learning {
namespace {

constexpr double kMask = 1e10;
constexpr int kResamples = 1000;

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double mean_of_resample(const std::vector<double>& values, Rng& rng) {
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) sum += values[rng.below(values.size())];
  return sum / static_cast<double>(values.size());
}

Interval bootstrap_difference(const std::vector<double>& with, const std::vector<double>& without,
                              uint64_t seed) {
  Rng rng(seed);
  std::vector<double> differences;
  for (int i = 0; i < kResamples; ++i) {
    const double a = mean_of_resample(with, rng);
    differences.push_back(a - mean_of_resample(without, rng));
  }
  std::sort(differences.begin(), differences.end());
  return {differences[kResamples * 25 / 1000], differences[kResamples * 975 / 1000 - 1]};
}

// The mask of one layer's expert, in the selection's own terms.
std::vector<float> select_without(const torch::Tensor& logits, const ModelConfig& config,
                                  double temperature, size_t expert) {
  torch::Tensor masked = logits.to(torch::kCPU, torch::kFloat32).clone();
  masked.select(-1, static_cast<int64_t>(expert)).sub_(kMask);
  const torch::Tensor weights =
      select_experts_for_inference(masked.view({1, 1, -1}), config.routing.selection, temperature)
          .contiguous();
  return {weights.data_ptr<float>(), weights.data_ptr<float>() + weights.numel()};
}

std::vector<float> share_out(std::vector<float> weights, size_t expert) {
  const float rest = 1 - weights.at(expert);
  for (float& weight : weights) {
    weight = rest > 0 ? weight / rest : 1.0f / static_cast<float>(weights.size() - 1);
  }
  weights[expert] = 0;
  return weights;
}

// Scores tasks on the routes that are left when experts are disabled.
class Disabler {
 public:
  Disabler(Seq2SeqModel& model, const std::vector<int64_t>& rows, const RouteScorer& score,
           double temperature)
      : model_(model), rows_(rows), score_(score), temperature_(temperature) {
    for (size_t task = 0; task < rows_.size(); ++task) {
      routes_.push_back(route_of_task(model_, rows_[task], temperature_));
      before_.push_back(score_(task, routes_.back()));
    }
  }

  const std::vector<double>& scores_before() const { return before_; }

  TaskRoute route_without(size_t task, const LayerPlace& place, size_t expert) {
    return route_without_expert(model_, rows_[task], temperature_, place, expert);
  }
  // Whether a task with the feature takes the expert.
  bool serves(const LayerPlace& place, size_t expert, const std::vector<bool>& has) {
    for (size_t task = 0; task < rows_.size(); ++task) {
      if (has[task] && route_without(task, place, expert) != routes_[task]) return true;
    }
    return false;
  }

  struct Drop {
    double value = 0;
    bool changed = false;  // the route is another one
  };
  // Of every task.
  const std::vector<Drop>& drops(const LayerPlace& place, size_t expert) {
    const auto key = std::pair(place, expert);
    const auto known = drops_.find(key);
    if (known != drops_.end()) return known->second;
    std::vector<Drop>& drops = drops_[key];
    for (size_t task = 0; task < rows_.size(); ++task) {
      const TaskRoute route = route_without(task, place, expert);
      const bool changed = route != routes_[task];
      drops.push_back({changed ? before_[task] - score_(task, route) : 0, changed});
    }
    return drops;
  }

 private:
  Seq2SeqModel& model_;
  const std::vector<int64_t>& rows_;
  const RouteScorer& score_;
  double temperature_;
  std::vector<TaskRoute> routes_;
  std::vector<double> before_;
  std::map<std::pair<LayerPlace, size_t>, std::vector<Drop>> drops_;
};

// `with`, `without`: the drops of the two groups.
DisablingEffect effect_of(Disabler& disabler, const LayerPlace& place, size_t expert,
                          const std::vector<bool>& has, std::vector<double>& with,
                          std::vector<double>& without) {
  DisablingEffect effect{place, expert, 0, 0, 0, 0};
  const std::vector<Disabler::Drop>& drops = disabler.drops(place, expert);
  for (size_t task = 0; task < drops.size(); ++task) {
    (has[task] ? with : without).push_back(drops[task].value);
    (has[task] ? effect.changed_with : effect.changed_without) += drops[task].changed;
  }
  effect.drop_with = mean(with);
  effect.drop_without = mean(without);
  return effect;
}

// Every expert of the model's pools but `pair`'s, in random order.
std::vector<std::pair<LayerPlace, size_t>> other_experts(const TaskRoute& route,
                                                         const FeatureExpert& pair, Rng& rng) {
  std::vector<std::pair<LayerPlace, size_t>> others;
  for (const LayerPlace& place : places_of(route)) {
    const size_t experts = weights_at(route, place).size();
    for (size_t e = 0; experts > 1 && e < experts; ++e) {
      if (place != pair.place || e != pair.expert) others.emplace_back(place, e);
    }
  }
  rng.shuffle(others);
  return others;
}

const std::vector<bool>& values_of(const FeatureTable& features, const std::string& name) {
  const auto found = std::find_if(features.features.begin(), features.features.end(),
                                  [&](const TaskFeature& f) { return f.name == name; });
  check(found != features.features.end(), "the pair's feature is in the table");
  return found->has;
}

double mean_difference(const std::vector<DisablingEffect>& effects) {
  std::vector<double> differences;
  for (const DisablingEffect& effect : effects) differences.push_back(effect.difference());
  return differences.empty() ? 0 : mean(differences);
}

Json to_json(const DisablingEffect& effect) {
  return {{"layer", name_of(effect.place)},
          {"expert", effect.expert + 1},
          {"drop_with", effect.drop_with},
          {"drop_without", effect.drop_without},
          {"difference", effect.difference()},
          {"changed_with", effect.changed_with},
          {"changed_without", effect.changed_without}};
}

}  // namespace

TaskRoute route_without_expert(Seq2SeqModel& model, int64_t task, double temperature,
                               const LayerPlace& place, size_t expert) {
  TaskRoute route = route_of_task(model, task, temperature);
  std::vector<float>& weights = weights_at(route, place);
  check(weights.size() > 1 && expert < weights.size(), "an expert of a pool");
  if (!model->has_router()) {
    weights = share_out(weights, expert);
    return route;
  }
  torch::NoGradGuard no_grad;
  const torch::Tensor id =
      torch::full({1}, task, torch::dtype(torch::kInt64).device(model->shared_weight().device()));
  const RoutingWeights logits = model->split_stacks(model->router_logits(id));
  weights = select_without((place.in_decoder ? logits.decoder : logits.encoder)
                               .select(0, static_cast<int64_t>(place.layer)),
                           model->config(), temperature, expert);
  return route;
}

bool PairEffect::is_specific() const {
  return interval.low > 0 && std::all_of(random.begin(), random.end(), [&](const auto& other) {
           return other.difference() < effect.difference();
         });
}

DisablingReport disable_experts(Seq2SeqModel& model, const std::vector<int64_t>& rows,
                                const FeatureTable& features,
                                const std::vector<FeatureExpert>& pairs, const RouteScorer& score,
                                const DisablingOptions& options) {
  check(rows.size() == features.tasks.size() && !rows.empty(), "a row for every task");
  Disabler disabler(model, rows, score, options.temperature);
  DisablingReport report{mean(disabler.scores_before()), 0, {}};
  Rng rng(options.seed);
  for (const FeatureExpert& pair : pairs) {
    if (report.pairs.size() == options.pairs) break;
    const std::vector<bool>& has = values_of(features, pair.feature);
    const auto tasks_with = static_cast<size_t>(std::count(has.begin(), has.end(), true));
    if (pair.r <= 0 || tasks_with == 0 || tasks_with == has.size()) continue;
    if (!disabler.serves(pair.place, pair.expert, has)) {
      ++report.unused;
      continue;
    }
    PairEffect result{pair, tasks_with, has.size() - tasks_with, {}, {}, {}};
    std::vector<double> with, without;
    result.effect = effect_of(disabler, pair.place, pair.expert, has, with, without);
    result.interval = bootstrap_difference(with, without, options.seed);
    auto others = other_experts(route_of_task(model, rows[0], options.temperature), pair, rng);
    others.resize(std::min(others.size(), options.random));
    for (const auto& [place, expert] : others) {
      std::vector<double> other_with, other_without;
      result.random.push_back(effect_of(disabler, place, expert, has, other_with, other_without));
    }
    report.pairs.push_back(std::move(result));
  }
  return report;
}

std::string to_markdown(const DisablingReport& report) {
  const std::string unused =
      report.unused == 0 ? ""
                         : std::to_string(report.unused) +
                               " pairs were left out: no task with the feature takes the expert, "
                               "however likely it is to.\n";
  if (report.pairs.empty()) {
    return unused + "No pair of a feature and an expert in use with r > 0: nothing to disable.\n";
  }
  constexpr Align kNumber = Align::kRight;
  Table table({{"feature"},
               {"disabled"},
               {"tasks", kNumber},
               {"drop", kNumber},
               {"other tasks", kNumber},
               {"drop", kNumber},
               {"difference", kNumber},
               {"95 % interval", kNumber},
               {"random experts", kNumber},
               {"specific"}});
  size_t specific = 0;
  for (const PairEffect& pair : report.pairs) {
    const DisablingEffect& effect = pair.effect;
    const auto tasks = [](size_t changed, size_t all) {
      return std::to_string(changed) + " of " + std::to_string(all);
    };
    specific += pair.is_specific();
    table.add(
        {pair.pair.feature, expert_name(effect.place, effect.expert),
         tasks(effect.changed_with, pair.tasks_with), fmt::format("{:+.4f}", effect.drop_with),
         tasks(effect.changed_without, pair.tasks_without),
         fmt::format("{:+.4f}", effect.drop_without), fmt::format("{:+.4f}", effect.difference()),
         fmt::format("{:+.4f}", pair.interval.low) + " – " +
             fmt::format("{:+.4f}", pair.interval.high),
         fmt::format("{:+.4f}", mean_difference(pair.random)), pair.is_specific() ? "yes" : "no"});
  }
  return table.to_markdown() +
         "\nTasks: how many take another route when the expert is disabled, of "
         "those with the feature and of the others.\nDrop: their mean score before less after. "
         "Random experts: the mean difference when one of " +
         std::to_string(report.pairs[0].random.size()) + " others is disabled.\nVerdict: in " +
         std::to_string(specific) + " of " + std::to_string(report.pairs.size()) +
         " pairs the tasks with the feature surely lose more than the others (the interval is "
         "above "
         "0), and more than with any random expert. The mean score with nothing disabled is " +
         fmt::format("{:.4f}", report.mean_score) + ".\n" + unused;
}

Json to_json(const DisablingReport& report) {
  Json json{{"mean_score", report.mean_score}, {"unused", report.unused}, {"pairs", Json::array()}};
  for (const PairEffect& pair : report.pairs) {
    Json item = to_json(pair.effect);
    item["feature"] = pair.pair.feature;
    item["r"] = pair.pair.r;
    item["p"] = pair.pair.p;
    item["tasks_with"] = pair.tasks_with;
    item["tasks_without"] = pair.tasks_without;
    item["interval"] = {pair.interval.low, pair.interval.high};
    item["specific"] = pair.is_specific();
    item["random"] = Json::array();
    for (const DisablingEffect& other : pair.random) item["random"].push_back(to_json(other));
    json["pairs"].push_back(std::move(item));
  }
  return json;
}

}  // namespace trivium::learning
