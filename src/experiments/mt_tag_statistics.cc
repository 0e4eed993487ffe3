#include "experiments/mt_tag_statistics.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "base/rng.h"
#include "metrics/quantile.h"

namespace trivium {
namespace {

// A job's fine-tunings, ready to be scored on resampled test lines.
struct PreparedJob {
  std::string task;
  size_t lines = 0;
  std::vector<std::unique_ptr<PreparedItems>> seeds;
};

std::vector<PreparedJob> prepare(const MtTagRun& run, const TableColumn& column) {
  std::vector<PreparedJob> jobs;
  for (const FineTuneJob& job : column.jobs) {
    PreparedJob prepared;
    for (const FineTuneRun& item : run.runs) {
      if (item.job != job.key() || !item.answers.contains(column.perturbation)) continue;
      const std::vector<Scored> items = scored_items(run, item, column.perturbation);
      prepared.task = item.task;
      prepared.lines = items.size();
      prepared.seeds.push_back(make_metric(item.metric)->prepare(items));
    }
    jobs.push_back(std::move(prepared));
  }
  return jobs;
}

// The same for a task and replicate on every machine and in every row.
uint64_t seed_of(const std::string& task, int replicate) {
  uint64_t hash = 14695981039346656037ull + static_cast<uint64_t>(replicate);
  for (const char c : task) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return hash;
}

void set_interval(BootstrapScore& score) {
  if (score.replicates.empty()) return;
  std::vector<double> sorted = score.replicates;
  std::sort(sorted.begin(), sorted.end());
  score.interval = {quantile(sorted, 0.025), quantile(sorted, 0.975)};
}

}  // namespace

BootstrapScore column_score(const MtTagRun& run, const TableColumn& column, int resamples) {
  BootstrapScore result;
  const std::vector<PreparedJob> jobs = prepare(run, column);
  for (const PreparedJob& job : jobs) {
    if (job.seeds.empty() || job.lines == 0) return result;
  }
  if (jobs.empty()) return result;
  result.known = true;
  Rng seed_draws(0);
  for (int r = -1; r < resamples; ++r) {  // -1: the sample itself
    double sum = 0;
    for (const PreparedJob& job : jobs) {
      Rng rng(seed_of(job.task, r));
      std::vector<uint32_t> lines(job.lines);
      for (size_t i = 0; i < lines.size(); ++i) {
        lines[i] = static_cast<uint32_t>(r < 0 ? i : rng.below(lines.size()));
      }
      double job_sum = 0;
      for (size_t s = 0; s < job.seeds.size(); ++s) {
        job_sum += job.seeds[r < 0 ? s : seed_draws.below(job.seeds.size())]->score(lines);
      }
      sum += job_sum / static_cast<double>(job.seeds.size());
    }
    const double value = 100 * sum / static_cast<double>(jobs.size());
    if (r < 0) {
      result.value = value;
    } else {
      result.replicates.push_back(value);
    }
  }
  set_interval(result);
  return result;
}

BootstrapScore difference(const BootstrapScore& a, const BootstrapScore& b) {
  BootstrapScore result;
  result.known = a.known && b.known && a.replicates.size() == b.replicates.size();
  if (!result.known) return result;
  result.value = a.value - b.value;
  for (size_t i = 0; i < a.replicates.size(); ++i) {
    result.replicates.push_back(a.replicates[i] - b.replicates[i]);
  }
  set_interval(result);
  return result;
}

SeedScores seed_scores(const MtTagRun& run, const FineTuneJob& job) {
  std::vector<double> scores;
  SeedScores result;
  double best_dev = 0;
  for (const FineTuneRun& item : run.runs) {
    if (item.job != job.key() || !item.answers.contains("")) continue;
    scores.push_back(100 * make_metric(item.metric)->score(scored_items(run, item, "")));
    if (scores.size() == 1 || item.dev > best_dev) {
      best_dev = item.dev;
      result.best = scores.back();
    }
  }
  result.seeds = scores.size();
  if (scores.empty()) return result;
  const auto count = static_cast<double>(scores.size());
  for (const double score : scores) result.mean += score / count;
  for (const double score : scores) {
    result.deviation += (score - result.mean) * (score - result.mean);
  }
  result.deviation = scores.size() > 1 ? std::sqrt(result.deviation / (count - 1)) : 0;
  return result;
}

}  // namespace trivium
