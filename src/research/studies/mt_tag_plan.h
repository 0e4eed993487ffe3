// What the tables of the MT-TaG paper need to have trained, and what the paper itself says: the
// content of configs/mt_tag/plan.toml, whose comments say how it is written.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "learning/adaptation/gate_choice.h"
#include "research/settings/mt_tag_settings.h"

namespace trivium::research {

// A fine-tuning on one task that follows a multi-task training.
struct FineTuneJob {
  std::string task;
  int64_t examples = 0;  // train lines, drawn by seed 0; 0: as fine_tune.examples_per_task
  learning::GateChoice gates = {};

  std::string key() const;  // its name in results: "scitail@235<-mnli"; of its own gates "rte"
  bool operator==(const FineTuneJob&) const = default;
};

// One multi-task training, or none, and the fine-tunings from it.
struct MtTagVariant {
  std::string name;  // of its folder
  std::string title;
  std::string method;
  bool multi_task = true;  // false: trained on no mixture, each job starts from the encoder
  std::vector<std::string> overrides;
  std::vector<FineTuneJob> jobs;  // in a plan as it is read: none yet
};

// A row of a table: a variant's mean over some fine-tunings in each column.
struct TableRow {
  std::string label, variant;
  std::map<std::string, double> paper;  // column -> the paper's score in %
  // Made only where experiment.layers, experts or scales lists it.
  std::optional<int64_t> layers, experts;
  std::optional<std::string> scale;
};
struct TableColumn {
  std::string title;
  std::vector<FineTuneJob> jobs;  // their mean; of all variants alike
  // Scores on the tests as this perturbation changes them (learning/examples/perturbation.h); "":
  // as they are.
  std::string perturbation;
  std::optional<std::string> gates = {};  // made only where experiment.gates lists it
};

// One of the paper's statements about a table: one cell is above another.
struct TableCell {
  std::string variant, column;
};
struct MtTagClaim {
  std::string text;
  TableCell better, worse;
};

struct ResultTable {
  std::string name, title;
  std::vector<TableRow> rows;
  std::vector<TableColumn> columns;
  std::string base;  // the variant that the other rows are compared with; "": they are not
  std::vector<MtTagClaim> claims;
};

struct MtTagPlan {
  std::string file;
  std::vector<MtTagVariant> variants;
  std::vector<ResultTable> tables;  // with all rows and columns
  std::string usual_metric;
  std::map<std::string, std::string> metrics;  // of tasks that have another

  const std::string& metric_of(const std::string& task) const;
};

// Error kMissingInput; kConfig, naming file and line, for an unknown key, and for a name (of a
// group, method, variant, column, perturbation, metric) that nothing has.
MtTagPlan read_mt_tag_plan(const std::filesystem::path& file);

// The tables that the settings ask for, with the rows and columns that they ask for. A base that is
// not among them is left out. Error kConfig where the plan has no such table, row or column.
std::vector<ResultTable> mt_tag_tables(const MtTagPlan& plan, const MtTagSettings& settings);
// The trainings that the tables need, each once, in the tables' order.
std::vector<MtTagVariant> mt_tag_variants(const MtTagPlan& plan,
                                          const std::vector<ResultTable>& tables);

}  // namespace trivium::research
