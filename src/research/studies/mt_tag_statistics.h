// Scores of the experiment on token gates with bootstrap intervals.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "research/studies/mt_tag_plan.h"
#include "research/studies/mt_tag_run.h"

namespace trivium::research {

// A score in % with what the bootstrap says of it.
struct BootstrapScore {
  double value = 0;
  Interval interval;               // 95 %, percentile
  std::vector<double> replicates;  // in the order of the draws
  bool known = false;              // some fine-tuning of a job is missing: nothing is known
};

// The mean over the trainings of one variant, over the column's jobs, and over a job's seeds. A
// replicate draws anew the trainings, each job's seeds, and the test lines of each task; the lines
// by task and replicate alone, so that replicates of two rows are paired. One training is drawn
// always, so the interval does not cover it.
BootstrapScore column_score(const std::vector<const MtTagRun*>& trainings,
                            const TableColumn& column, int resamples = 1000);

// a - b, replicate by replicate.
BootstrapScore difference(const BootstrapScore& a, const BootstrapScore& b);

// Mean and sample standard deviation over seeds of a job's test score in %, and the best seed by
// dev: what the paper reports.
struct SeedScores {
  double mean = 0, deviation = 0, best = 0;
  size_t seeds = 0;
};
SeedScores seed_scores(const MtTagRun& run, const FineTuneJob& job);

}  // namespace trivium::research
