#include "research/studies/mt_tag_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/base/error.h"
#include "research/studies/mt_tag_statistics.h"

namespace trivium::research {
namespace {

std::vector<const MtTagRun*> runs_of(const std::vector<MtTagRun>& runs,
                                     const std::string& variant) {
  std::vector<const MtTagRun*> found;
  for (const MtTagRun& run : runs) {
    if (run.variant == variant) found.push_back(&run);
  }
  return found;
}

BootstrapScore score_of(const std::vector<MtTagRun>& runs, const std::string& variant,
                        const TableColumn& column) {
  return column_score(runs_of(runs, variant), column);
}

std::string score_text(const BootstrapScore& score) {
  if (!score.known) return "";
  return fmt::format("{:.1f} [{:.1f}, {:.1f}]", score.value, score.interval.low,
                     score.interval.high);
}

std::string difference_text(const BootstrapScore& score) {
  if (!score.known) return "";
  return fmt::format("{:+.1f} [{:+.1f}, {:+.1f}]", score.value, score.interval.low,
                     score.interval.high);
}

ReportTable titled(const std::string& first, const std::vector<TableColumn>& columns) {
  ReportTable result{{first}, {false}, {}};
  for (const TableColumn& column : columns) {
    result.titles.push_back(column.title);
    result.is_number.push_back(true);
  }
  return result;
}

std::vector<TableColumn> mean_columns(const ResultTable& table) {
  std::vector<TableColumn> means;
  for (const TableColumn& column : table.columns) {
    if (column.jobs.size() > 1) means.push_back(column);
  }
  return means.empty() ? table.columns : means;
}

std::string verdict(const BootstrapScore& difference) {
  if (difference.interval.low > 0) return "agrees";
  return difference.interval.high < 0 ? "disagrees" : "open";
}

const TableColumn* column_of(const ResultTable& table, const std::string& title) {
  const auto found = std::find_if(table.columns.begin(), table.columns.end(),
                                  [&](const TableColumn& c) { return c.title == title; });
  return found == table.columns.end() ? nullptr : &*found;
}

ReportTable training_table(const std::vector<MtTagRun>& runs) {
  ReportTable table{{"training", "seed", "steps", "examples", "seconds", "examples/s", "last loss",
                     "least and largest share of a layer's tokens"},
                    {false, true, true, true, true, true, true, true},
                    {}};
  for (const MtTagRun& run : runs) {
    if (run.training_steps == 0) continue;
    double least = 1, largest = 0;
    for (const auto& [task, layers] : run.use) {
      for (const auto& experts : layers) {
        least = std::min(least, *std::min_element(experts.begin(), experts.end()));
        largest = std::max(largest, *std::max_element(experts.begin(), experts.end()));
      }
    }
    table.rows.push_back(
        {run.variant, std::to_string(run.training_seed), std::to_string(run.training_steps),
         std::to_string(run.training_examples), fmt::format("{:.0f}", run.training_seconds),
         fmt::format("{:.1f}", static_cast<double>(run.training_examples) / run.training_seconds),
         fmt::format("{:.3f}", run.last_loss),
         run.use.empty() ? "" : fmt::format("{:.3f} to {:.3f}", least, largest)});
  }
  return table;
}

ReportTable seeds_table(const std::vector<ResultTable>& tables, const std::vector<MtTagRun>& runs) {
  ReportTable result{{"training", "its seed", "fine-tuning", "seeds", "mean", "std", "best by dev"},
                     {false, true, false, true, true, true, true},
                     {}};
  std::set<std::string> shown;
  const auto add = [&](const MtTagRun& run, const FineTuneJob& job) {
    const SeedScores scores = seed_scores(run, job);
    if (scores.seeds == 0) return;
    result.rows.push_back({run.variant, std::to_string(run.training_seed), job.key(),
                           std::to_string(scores.seeds), fmt::format("{:.1f}", scores.mean),
                           fmt::format("{:.1f}", scores.deviation),
                           fmt::format("{:.1f}", scores.best)});
  };
  for (const ResultTable& table : tables) {
    for (const TableRow& row : table.rows) {
      for (const TableColumn& column : table.columns) {
        if (column.jobs.size() != 1 || !column.perturbation.empty()) continue;
        const FineTuneJob& job = column.jobs[0];
        if (!shown.insert(row.variant + " " + job.key()).second) continue;
        for (const MtTagRun* run : runs_of(runs, row.variant)) add(*run, job);
      }
    }
  }
  return result;
}

// What is done otherwise than in the paper.
std::vector<std::string> deviations() {
  return {
      "Data: the gym's parts of the tasks. QNLI, MNLI, QQP and SciTail are parts of the official "
      "dev or test files, SST-2 has whole sentences only, so no score is comparable with "
      "published ones. Rotten Tomatoes is the gym's sentence_polarity.",
      "Early stopping on dev, scores on test; the paper does both on dev.",
      "One learning rate and length of training instead of a grid.",
      "MT-Switch and MT-TaG multiply the chosen expert's output by what model.gate_scale of their "
      "files in methods_folder says: in configs/mt_tag straight-through, by 1 with the gradient "
      "of the probability's logarithm. The paper has the probability alone, which is a row of "
      "the table scale.",
      "A pair that is too long loses its end on the longer side; of MultiRC and BoolQ that is the "
      "passage. MultiRC's question stands before the passage, not behind it, so that the cut does "
      "not take it.",
      "WiC: the gym does not say where the word stands. It is the word of the sentence that "
      "shares the longest beginning with it.",
      "T2 and T6: few-line samples are as large as the paper's 1 %; its 10 % of SciTail are more "
      "lines than the gym has, so all of them are taken.",
      "T3, changed tests: typos exchange two inner letters of every tenth word; negation adds "
      "\"and false is not true\" to the last text; paraphrase writes contractions out or "
      "contracts, and drops commas before and, but, or.",
      "T10 and T11 are T3 and T4 task by task; their columns are in those tables."};
}

}  // namespace

ReportTable mt_tag_table(const ResultTable& table, const std::vector<MtTagRun>& runs) {
  ReportTable result = titled("model", table.columns);
  for (const TableRow& row : table.rows) {
    std::vector<std::string> cells = {row.label}, paper = {"(paper)"};
    for (const TableColumn& column : table.columns) {
      cells.push_back(score_text(score_of(runs, row.variant, column)));
      const auto known = row.paper.find(column.title);
      paper.push_back(known == row.paper.end() ? "" : fmt::format("{:.1f}", known->second));
    }
    result.rows.push_back(std::move(cells));
    if (!row.paper.empty()) result.rows.push_back(std::move(paper));
  }
  return result;
}

ReportTable mt_tag_differences(const ResultTable& table, const std::vector<MtTagRun>& runs) {
  const std::vector<TableColumn> columns = mean_columns(table);
  const auto base = std::find_if(table.rows.begin(), table.rows.end(),
                                 [&](const TableRow& row) { return row.variant == table.base; });
  check(base != table.rows.end(), "a table of differences has a base among its rows");
  ReportTable result = titled("less " + base->label, columns);
  for (const TableRow& row : table.rows) {
    if (row.variant == table.base) continue;
    std::vector<std::string> cells = {row.label};
    for (const TableColumn& column : columns) {
      cells.push_back(difference_text(
          difference(score_of(runs, row.variant, column), score_of(runs, table.base, column))));
    }
    result.rows.push_back(std::move(cells));
  }
  return result;
}

ReportTable mt_tag_claims(const std::vector<ResultTable>& tables,
                          const std::vector<MtTagRun>& runs) {
  ReportTable result{{"the paper says", "difference here", "verdict"}, {false, true, false}, {}};
  for (const ResultTable& table : tables) {
    for (const MtTagClaim& claim : table.claims) {
      const TableColumn* better = column_of(table, claim.better.column);
      const TableColumn* worse = column_of(table, claim.worse.column);
      if (better == nullptr || worse == nullptr) continue;
      const BootstrapScore gain = difference(score_of(runs, claim.better.variant, *better),
                                             score_of(runs, claim.worse.variant, *worse));
      if (!gain.known) continue;
      result.rows.push_back({claim.text, difference_text(gain), verdict(gain)});
    }
  }
  return result;
}

ReportDocument mt_tag_report(const std::vector<ResultTable>& tables,
                             const std::vector<MtTagRun>& runs, MtTagSettings settings,
                             const std::string& command) {
  ReportDocument report("Token-level experts with task-aware gates (MT-TaG)");
  report.paragraph(
      "Each model is trained on many tasks at once and then fine-tuned on each task; Single-Task "
      "is "
      "fine-tuned only. Scores are in %, on test lines that neither training nor early stopping "
      "saw (the paper reports dev, after early stopping on dev, and the best of three seeds): the "
      "mean over seeds of the multi-task training and of fine-tuning, with a 95 % interval by "
      "bootstrap over test lines and both kinds of seeds. " +
      std::string(settings.training_seeds.size() > 1
                      ? "So few trainings show less than their whole spread. "
                      : "The multi-task training itself was run with one seed, which no interval "
                        "covers. ") +
      "Below each row stands the paper's number, for MiniLM where nothing else is said, on the "
      "whole data sets; the gym's versions are parts of them.");
  report.code(command);
  report.heading("What the paper says, and what these runs say");
  report.paragraph(
      "\"agrees\" where the whole interval of the difference is on the claimed side of 0, "
      "\"disagrees\" where it is on the other, \"open\" where it covers 0. The intervals are not "
      "corrected for the number of comparisons.");
  report.table(mt_tag_claims(tables, runs));
  for (const ResultTable& table : tables) {
    report.heading(table.name + ": " + table.title);
    report.table(mt_tag_table(table, runs));
    if (!table.base.empty()) report.table(mt_tag_differences(table, runs));
  }
  report.heading("What is done otherwise than in the paper");
  report.list(deviations());
  report.heading("Trainings");
  report.table(training_table(runs));
  report.heading("Seeds of fine-tuning");
  report.table(seeds_table(tables, runs));
  report.heading("Settings");
  report.code(settings_to_toml(settings));
  return report;
}

}  // namespace trivium::research
