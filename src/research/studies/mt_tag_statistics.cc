#include "research/studies/mt_tag_statistics.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "core/base/rng.h"
#include "core/metrics/quantile.h"

namespace trivium::research {
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

// In place of a replicate's number: the sample itself, nothing drawn anew.
constexpr int kSample = -1;

// The test lines of a replicate.
std::vector<uint32_t> lines_of(const PreparedJob& job, int replicate) {
  Rng rng(seed_of(job.task, replicate));
  std::vector<uint32_t> lines(job.lines);
  for (size_t i = 0; i < lines.size(); ++i) {
    lines[i] = static_cast<uint32_t>(replicate == kSample ? i : rng.below(lines.size()));
  }
  return lines;
}

// In %, over a replicate's trainings, jobs and seeds of jobs.
double mean_of_jobs(const std::vector<std::vector<PreparedJob>>& trainings, int replicate,
                    Rng& draws) {
  const auto drawn = [&](size_t index, size_t count) {
    return replicate == kSample ? index : static_cast<size_t>(draws.below(count));
  };
  std::vector<std::vector<uint32_t>> lines;
  for (const PreparedJob& job : trainings.front()) lines.push_back(lines_of(job, replicate));
  double sum = 0;
  for (size_t t = 0; t < trainings.size(); ++t) {
    const std::vector<PreparedJob>& jobs = trainings[drawn(t, trainings.size())];
    for (size_t j = 0; j < jobs.size(); ++j) {
      const auto& seeds = jobs[j].seeds;
      double job_sum = 0;
      for (size_t s = 0; s < seeds.size(); ++s) {
        job_sum += seeds[drawn(s, seeds.size())]->score(lines[j]);
      }
      sum += job_sum / static_cast<double>(seeds.size());
    }
  }
  return 100 * sum / static_cast<double>(trainings.size() * lines.size());
}

void set_interval(BootstrapScore& score) {
  if (score.replicates.empty()) return;
  std::vector<double> sorted = score.replicates;
  std::sort(sorted.begin(), sorted.end());
  score.interval = {quantile(sorted, 0.025), quantile(sorted, 0.975)};
}

}  // namespace

BootstrapScore column_score(const std::vector<const MtTagRun*>& trainings,
                            const TableColumn& column, int resamples) {
  BootstrapScore result;
  std::vector<std::vector<PreparedJob>> prepared;  // [trainings][jobs]
  for (const MtTagRun* run : trainings) prepared.push_back(prepare(*run, column));
  for (const std::vector<PreparedJob>& jobs : prepared) {
    for (const PreparedJob& job : jobs) {
      if (job.seeds.empty() || job.lines == 0) return result;
    }
  }
  if (prepared.empty() || column.jobs.empty()) return result;
  result.known = true;
  Rng draws(0);
  result.value = mean_of_jobs(prepared, kSample, draws);
  for (int r = 0; r < resamples; ++r) {
    result.replicates.push_back(mean_of_jobs(prepared, r, draws));
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

}  // namespace trivium::research
