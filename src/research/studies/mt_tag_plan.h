// What the tables of the MT-TaG paper need to have trained, and what the paper itself says.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "research/settings/mt_tag_settings.h"

namespace trivium::research {

// A fine-tuning on one task that follows a multi-task training.
struct FineTuneJob {
  std::string task;
  int64_t examples = 0;  // train lines, drawn by seed 0; 0: as fine_tune.examples_per_task
  // Where the task's gates come from: its own, a named task's, "nearest" by the mean hidden state
  // of its train texts, or "random".
  std::string gates = "own";

  std::string key() const;  // "scitail@235<-mnli"
  bool operator==(const FineTuneJob&) const = default;
};

// One multi-task training (or, for "single_task", none) and the fine-tunings from it.
struct MtTagVariant {
  std::string name;  // of its folder
  std::string method;
  std::vector<std::string> overrides;
  std::vector<FineTuneJob> jobs;
};

// A row of a table: a variant's mean over some fine-tunings in each column.
struct TableRow {
  std::string label, variant;
  std::map<std::string, double> paper;  // column -> the paper's score in %
};
struct TableColumn {
  std::string title;
  std::vector<FineTuneJob> jobs;  // their mean; of all variants alike
  // Scores on the tests as this perturbation changes them (data/perturbation.h); "": as they are.
  std::string perturbation;
};
struct ResultTable {
  std::string name, title;
  std::vector<TableRow> rows;
  std::vector<TableColumn> columns;
  // The row that the others are compared with.
  std::string base;
};

// The tables that the settings ask for. Error kConfig for an unknown one.
std::vector<ResultTable> mt_tag_tables(const MtTagSettings& settings);
// The trainings that the tables need, each once, in the tables' order.
std::vector<MtTagVariant> mt_tag_variants(const MtTagSettings& settings);

// The metric of a task in the paper (mt_tag.md, section 6): Spearman, Matthews, F1 of the positive
// class for multirc, else accuracy.
std::string paper_metric(const std::string& task);

}  // namespace trivium::research
