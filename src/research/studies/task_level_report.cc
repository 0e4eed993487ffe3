#include "research/studies/task_level_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "core/analysis/heat_map.h"
#include "core/evaluation/arg.h"
#include "core/metrics/quantile.h"
#include "research/studies/task_statistics.h"

namespace trivium::research {
namespace {

std::string score_text(const Estimate& estimate) {
  if (estimate.tasks == 0) return "";
  return fmt::format("{:.4f} [{:.4f}, {:.4f}]", estimate.value, estimate.interval.low,
                     estimate.interval.high);
}

std::string interval_text(const Estimate& difference) {
  return fmt::format("{:+.4f} [{:+.4f}, {:+.4f}]", difference.value, difference.interval.low,
                     difference.interval.high);
}

std::string difference_text(const Estimate& estimate) {
  return fmt::format("{} over {} tasks", interval_text(estimate), estimate.tasks);
}

std::string gain_cell(const std::vector<MethodRun>& runs, const std::string& method,
                      const std::string& base, ScorePart part) {
  const RelativeGain gain =
      average_relative_gain(scores_of(runs, method, part), scores_of(runs, base, part));
  if (gain.tasks.empty()) return "";
  return fmt::format("{:+.1f} % [{:+.1f}, {:+.1f}], median {:+.1f} %", 100 * gain.mean,
                     100 * gain.interval.low, 100 * gain.interval.high, 100 * gain.median);
}

const MethodRun* first_run(const std::vector<MethodRun>& runs, const std::string& method) {
  const auto found = std::find_if(runs.begin(), runs.end(),
                                  [&](const MethodRun& run) { return run.method == method; });
  return found == runs.end() ? nullptr : &*found;
}

const char* verdict(const Estimate& difference) {
  if (difference.interval.low > 0) return "agrees";
  if (difference.interval.high < 0) return "disagrees";
  return "open: the interval has 0";
}

void add_settings(ReportDocument& report, TaskLevelSettings& settings, const std::string& command) {
  report.heading("How it was made");
  report.code(command);
  report.paragraph(
      "Every method is trained on the same seen tasks from the same start; its settings are "
      "configs/task_level/METHOD.toml with the overrides below.");
  report.code(settings_to_toml(settings));
}

void add_compute(ReportDocument& report, const std::string& dense_method,
                 const std::vector<MethodRun>& runs, const std::vector<std::string>& methods) {
  const MethodRun* dense = first_run(runs, dense_method);
  const std::string of_dense = "of " + dense_method + "'s";
  ReportTable table{{"method", "training, GFLOP an example", of_dense,
                     "inference, GFLOP an example", of_dense, "training, wall seconds"},
                    {false, true, true, true, true, true},
                    {}};
  for (const std::string& method : methods) {
    const MethodRun* run = first_run(runs, method);
    if (run == nullptr) continue;
    const auto ratio = [&](double value, double base) {
      return dense == nullptr ? std::string() : fmt::format("{:.2f}", value / base);
    };
    table.rows.push_back({method, fmt::format("{:.2f}", run->training_flops / 1e9),
                          ratio(run->training_flops, dense ? dense->training_flops : 1),
                          fmt::format("{:.2f}", run->inference_flops / 1e9),
                          ratio(run->inference_flops, dense ? dense->inference_flops : 1),
                          fmt::format("{:.0f}", run->training_seconds)});
  }
  report.heading("Compute");
  report.paragraph(
      "Floating-point operations are counted from the shapes (products, attention, output "
      "projection) at the seen tasks' mean lengths; wall time is the whole training's, with the "
      "scores on dev. Two stages count the second one's operations, and the time of both.");
  report.table(std::move(table));
}

void add_templates(ReportDocument& report, const std::vector<MethodRun>& runs,
                   const std::vector<std::string>& methods) {
  ReportTable table{{"method", "task", "templates", "least", "median", "greatest"},
                    {false, false, true, true, true, true},
                    {}};
  for (const std::string& method : methods) {
    const MethodRun* run = first_run(runs, method);
    if (run == nullptr) continue;
    for (const TemplateScores& task : run->templates) {
      if (task.scores.size() < 2) continue;
      std::vector<double> sorted = task.scores;
      std::sort(sorted.begin(), sorted.end());
      table.rows.push_back(
          {method, task.task, std::to_string(sorted.size()), fmt::format("{:.4f}", sorted.front()),
           fmt::format("{:.4f}", quantile(sorted, 0.5)), fmt::format("{:.4f}", sorted.back())});
    }
  }
  if (table.rows.empty()) return;
  report.heading("Zero-shot with every template, by rank scoring");
  report.table(std::move(table));
}

void add_gains(ReportDocument& report, const std::string& dense, const std::vector<MethodRun>& runs,
               const std::vector<std::string>& methods) {
  report.heading("Transfer to each unseen task");
  report.paragraph("Relative gain of few-shot tuning over that of the method " + dense +
                   ", the dense multi-task model; a bar to the left is negative transfer.");
  for (const std::string& method : methods) {
    if (method == dense) continue;
    const RelativeGain gain = average_relative_gain(scores_of(runs, method, ScorePart::kFewShot),
                                                    scores_of(runs, dense, ScorePart::kFewShot));
    if (gain.tasks.empty()) continue;
    report.figure("task_level_gain_" + method + ".svg", method + " over " + dense, gain_svg(gain));
    if (!gain.below_floor.empty()) {
      std::vector<std::string> low;
      for (const TaskGain& task : gain.below_floor) low.push_back(task.task);
      report.paragraph(
          fmt::format("Left out of the mean of {}'s ARG, since {} is below {} there: {}.", method,
                      dense, kArgFloor, fmt::join(low, ", ")));
    }
    if (!gain.without_base.empty()) {
      report.paragraph(fmt::format("Left out of {}'s ARG, since {} scores 0 there: {}.", method,
                                   dense, fmt::join(gain.without_base, ", ")));
    }
  }
}

void add_task_scores(ReportDocument& report, const std::vector<MethodRun>& runs,
                     const std::vector<std::string>& methods, ScorePart part,
                     const std::string& title) {
  ReportTable table{{"task"}, {false}, {}};
  std::map<std::string, std::vector<std::string>> rows;
  for (const std::string& method : methods) {
    const MethodScores scores = scores_of(runs, method, part);
    if (scores.tasks.empty()) continue;
    table.titles.push_back(method);
    table.is_number.push_back(true);
    for (const SampleScores& task : scores.tasks) {
      double sum = 0;
      for (const double score : task.scores) sum += score;
      auto& row = rows[task.task];
      row.resize(table.titles.size() - 2);
      row.push_back(fmt::format("{:.4f}", sum / static_cast<double>(task.scores.size())));
    }
  }
  for (auto& [task, row] : rows) {
    row.resize(table.titles.size() - 1);
    row.insert(row.begin(), task);
    table.rows.push_back(row);
  }
  report.heading(title);
  report.table(std::move(table));
}

}  // namespace

ReportTable comparison_table(const TaskLevelPlan& plan, const std::vector<MethodRun>& runs,
                             const std::vector<std::string>& methods) {
  using enum ScorePart;
  ReportTable table{
      {"method", "seen", "zero-shot", "zero-shot, ranked", "few-shot", "ARG few-shot over direct",
       "ARG few-shot over " + plan.dense, "ARG zero-shot ranked over " + plan.dense},
      {false, true, true, true, true, true, true, true},
      {}};
  std::vector<std::string> names = {kDirect};
  names.insert(names.end(), methods.begin(), methods.end());
  for (const std::string& method : names) {
    if (first_run(runs, method) == nullptr) continue;
    const auto mean = [&](ScorePart part) {
      return score_text(mean_over_tasks(scores_of(runs, method, part)));
    };
    const auto gain = [&](const std::string& base, ScorePart part) {
      return method == base ? std::string("base") : gain_cell(runs, method, base, part);
    };
    table.rows.push_back({method, mean(kSeen), mean(kZeroShot), mean(kZeroShotRanked),
                          mean(kFewShot), gain(kDirect, kFewShot), gain(plan.dense, kFewShot),
                          gain(plan.dense, kZeroShotRanked)});
  }
  return table;
}

ReportTable claims_table(const TaskLevelPlan& plan, const std::vector<MethodRun>& runs,
                         const std::vector<std::string>& methods) {
  ReportTable table{{"claim", "difference, 95 % interval", "verdict"}, {false, true, false}, {}};
  const auto has = [&](const std::string& method) {
    return std::find(methods.begin(), methods.end(), method) != methods.end();
  };
  for (const TaskLevelClaim& claim : plan.claims) {
    if (!has(claim.better) || !has(claim.worse)) continue;
    const Estimate difference = mean_difference(scores_of(runs, claim.better, claim.part),
                                                scores_of(runs, claim.worse, claim.part));
    if (difference.tasks == 0) continue;
    table.rows.push_back({claim.text, difference_text(difference), verdict(difference)});
  }
  return table;
}

ReportTable tried_table(const TaskLevelPlan& plan, const std::vector<MethodRun>& runs,
                        const std::vector<TriedSetting>& tried) {
  using enum ScorePart;
  ReportTable table{{"setting", "method", "changes", "seen"}, {false, false, false, true}, {}};
  for (const std::string& method : plan.tried_against) {
    table.titles.push_back("less " + method);
    table.is_number.push_back(true);
  }
  table.titles.push_back("training, GFLOP an example");
  table.is_number.push_back(true);
  const auto add = [&](const TriedSetting& setting) {
    const MethodRun* run = first_run(runs, setting.name);
    const MethodScores scores = scores_of(runs, setting.name, kSeen);
    if (run == nullptr) return;
    std::vector<std::string> cells = {setting.name, setting.method,
                                      fmt::format("{}", fmt::join(setting.overrides, " ")),
                                      score_text(mean_over_tasks(scores))};
    for (const std::string& base : plan.tried_against) {
      const Estimate difference = mean_difference(scores, scores_of(runs, base, kSeen));
      cells.push_back(difference.tasks == 0 ? "" : interval_text(difference));
    }
    cells.push_back(fmt::format("{:.2f}", run->training_flops / 1e9));
    table.rows.push_back(std::move(cells));
  };
  std::vector<std::string> shown;
  for (const TriedSetting& setting : tried) {
    // A method's own row comes before those that change it.
    if (std::find(shown.begin(), shown.end(), setting.method) == shown.end()) {
      shown.push_back(setting.method);
      add({setting.method, setting.method, {}});
    }
    add(setting);
  }
  return table;
}

ReportDocument task_level_report(const TaskLevelPlan& plan, const std::vector<MethodRun>& runs,
                                 const std::vector<TriedSetting>& tried, TaskLevelSettings settings,
                                 const std::string& command,
                                 const std::vector<LearnedRoutes>& learned) {
  const std::vector<std::string>& methods = settings.methods;
  ReportDocument report("Task-level mixtures of experts: ways to route");
  report.paragraph(
      "Means over tasks of each task's own metric, with 95 % bootstrap intervals over tasks. "
      "\"direct\" is the start itself, tuned on each unseen task without multi-task training. ARG "
      "is the average relative gain over the base that its column names.");
  report.table(comparison_table(plan, runs, methods));
  report.heading("What the slides say, and what these runs say of it");
  report.paragraph(
      "Differences are paired by task. With few training steps on a small model they say "
      "something about this size only.");
  report.table(claims_table(plan, runs, methods));
  if (!tried.empty()) {
    report.heading("Other settings tried");
    report.paragraph(
        "Each is trained from the same start as its method, with the changes of its row, and "
        "scored "
        "on seen tasks. Differences are paired by task, with 95 % intervals.");
    report.table(tried_table(plan, runs, tried));
  }
  add_compute(report, plan.dense, runs, methods);
  add_gains(report, plan.dense, runs, methods);
  add_templates(report, runs, methods);
  for (const LearnedRoutes& routes : learned) {
    report.heading("Routes that " + routes.method + " learned");
    report.figure("task_level_routes_" + routes.method + ".svg",
                  "Weights over experts at temperature 1, by family; a dot marks the expert used",
                  heat_map_svg(routes.routes));
    report.code(to_markdown(routes.correlation));
  }
  add_task_scores(report, runs, methods, ScorePart::kSeen, "Seen tasks");
  std::vector<std::string> with_direct = {kDirect};
  with_direct.insert(with_direct.end(), methods.begin(), methods.end());
  add_task_scores(report, runs, with_direct, ScorePart::kZeroShotRanked,
                  "Unseen tasks, zero-shot by rank scoring");
  add_task_scores(report, runs, with_direct, ScorePart::kFewShot, "Unseen tasks, few-shot");
  add_settings(report, settings, command);
  return report;
}

}  // namespace trivium::research
