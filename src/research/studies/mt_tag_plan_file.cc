// Reads configs/mt_tag/plan.toml.
#include <algorithm>

#include "core/base/error.h"
#include "core/metrics/metric.h"
#include "learning/examples/perturbation.h"
#include "research/studies/mt_tag_plan.h"
#include "research/studies/plan_table.h"

namespace trivium::research {
namespace {

using Tasks = std::vector<std::string>;

template <typename T>
std::vector<std::string> names_at(const std::vector<T>& items, std::string T::*name) {
  std::vector<std::string> names;
  for (const T& item : items) names.push_back(item.*name);
  return names;
}

std::string override_of_tasks(const Tasks& tasks) {
  std::string text;
  for (const std::string& task : tasks) text += (text.empty() ? "[\"" : ", \"") + task + "\"";
  return "data.tasks=" + text + "]";
}

class PlanReader {
 public:
  PlanReader(const PlanTable& root, const std::string& file) : root_(root) { plan_.file = file; }

  MtTagPlan read() {
    root_.allow_only({"groups", "metrics", "methods", "variants", "table"});
    read_groups();
    read_metrics();
    read_methods();
    const PlanTable variants = root_.table("variants");
    for (const std::string& name : variants.keys()) {
      variants.check_folder_name(name, name);
      plan_.variants.push_back(variant_of(name, variants.table(name)));
    }
    for (const PlanTable& table : root_.tables("table")) {
      plan_.tables.push_back(table_of(table));
    }
    if (plan_.tables.empty()) root_.fail("table", "there is no [[table]]");
    return std::move(plan_);
  }

 private:
  void read_groups() {
    const PlanTable groups = root_.table("groups");
    for (const std::string& name : groups.keys()) {
      groups_[name] = groups.texts(name);
      if (groups_[name].empty()) groups.fail(name, "a group needs tasks");
      group_names_.push_back(name);
    }
  }

  void read_metrics() {
    const PlanTable metrics = root_.table("metrics");
    metrics.allow_only({"usual", "of_task"});
    plan_.usual_metric = metrics.text("usual");
    metrics.check_known("usual", plan_.usual_metric, metric_names(), "metric");
    if (!metrics.has("of_task")) return;
    const PlanTable of_task = metrics.table("of_task");
    for (const std::string& task : of_task.keys()) {
      plan_.metrics[task] = of_task.text(task);
      of_task.check_known(task, plan_.metrics[task], metric_names(), "metric");
    }
  }

  void read_methods() {
    const PlanTable methods = root_.table("methods");
    for (const std::string& name : methods.keys()) {
      const PlanTable method = methods.table(name);
      method.allow_only({"multi_task"});
      multi_task_[name] = method.flag("multi_task");
      method_names_.push_back(name);
    }
  }

  const Tasks& group_at(const PlanTable& table, const std::string& key) const {
    const std::string name = table.text(key);
    table.check_known(key, name, group_names_, "group of tasks");
    return groups_.at(name);
  }

  MtTagVariant variant_of(const std::string& name, const PlanTable& table) const {
    table.allow_only({"title", "method", "overrides", "mixture"});
    MtTagVariant variant;
    variant.name = name;
    variant.title = table.text("title");
    variant.method = table.text("method");
    table.check_known("method", variant.method, method_names_, "method");
    variant.multi_task = multi_task_.at(variant.method);
    variant.overrides = table.overrides("overrides");
    if (table.has("mixture")) {
      variant.overrides.push_back(override_of_tasks(group_at(table, "mixture")));
    }
    return variant;
  }

  ResultTable table_of(const PlanTable& table) const {
    table.allow_only({"name", "title", "base", "columns", "row", "claim"});
    ResultTable result;
    result.name = table.text("name");
    if (std::any_of(plan_.tables.begin(), plan_.tables.end(),
                    [&](const ResultTable& other) { return other.name == result.name; })) {
      table.fail("name", "a second table \"" + result.name + "\"");
    }
    result.title = table.text("title");
    for (const PlanTable& column : table.tables("columns")) add_columns(column, result);
    if (result.columns.empty()) table.fail("columns", "a table needs columns");
    for (const PlanTable& row : table.tables("row")) result.rows.push_back(row_of(row, result));
    if (result.rows.empty()) table.fail("row", "a table needs rows");
    if (table.has("base")) {
      result.base = table.text("base");
      table.check_known("base", result.base, names_at(result.rows, &TableRow::variant), "row");
    }
    for (const PlanTable& claim : table.tables("claim")) {
      result.claims.push_back(claim_of(claim, result));
    }
    return result;
  }

  static void add_column(const PlanTable& place, TableColumn column, ResultTable& table) {
    if (std::any_of(table.columns.begin(), table.columns.end(),
                    [&](const TableColumn& other) { return other.title == column.title; })) {
      place.fail("title", "a second column \"" + column.title + "\"");
    }
    table.columns.push_back(std::move(column));
  }

  void add_columns(const PlanTable& column, ResultTable& table) const {
    column.allow_only({"title", "each", "tasks", "job", "perturbation", "gates"});
    if (column.has("each") + column.has("tasks") + column.has("job") != 1) {
      column.fail("title", "a column has one of the keys each, tasks and job");
    }
    TableColumn result;
    result.perturbation = column.text_or_empty("perturbation");
    if (!result.perturbation.empty()) {
      column.check_known("perturbation", result.perturbation, learning::perturbation_names(),
                         "perturbation");
    }
    if (column.has("gates")) result.gates = column.text("gates");
    if (column.has("each")) {
      if (column.has("title")) column.fail("title", "columns of each task have its name");
      for (const std::string& task : group_at(column, "each")) {
        result.title = task;
        result.jobs = {{task, 0, {}}};
        add_column(column, result, table);
      }
      return;
    }
    result.title = column.text("title");
    if (column.has("tasks")) {
      for (const std::string& task : group_at(column, "tasks")) {
        result.jobs.push_back({task, 0, {}});
      }
    } else {
      result.jobs = {job_of(column.table("job"))};
    }
    add_column(column, std::move(result), table);
  }

  static FineTuneJob job_of(const PlanTable& table) {
    table.allow_only({"task", "lines", "gates"});
    FineTuneJob job;
    job.task = table.text("task");
    job.examples = table.integer("lines").value_or(0);
    if (job.examples < 0) table.fail("lines", "must not be negative");
    if (table.has("gates")) job.gates = learning::gate_choice(table.text("gates"));
    return job;
  }

  TableRow row_of(const PlanTable& row, const ResultTable& table) const {
    row.allow_only({"label", "variant", "paper", "layers", "experts", "scale"});
    TableRow result;
    result.variant = row.text("variant");
    row.check_known("variant", result.variant, names_at(plan_.variants, &MtTagVariant::name),
                    "variant");
    const std::vector<std::string> earlier = names_at(table.rows, &TableRow::variant);
    if (std::find(earlier.begin(), earlier.end(), result.variant) != earlier.end()) {
      row.fail("variant", "a second row of \"" + result.variant + "\"");
    }
    result.label = row.text_or_empty("label");
    if (result.label.empty()) {
      for (const MtTagVariant& variant : plan_.variants) {
        if (variant.name == result.variant) result.label = variant.title;
      }
    }
    result.paper = row.numbers("paper");
    for (const auto& [column, score] : result.paper) {
      row.table("paper").check_known(column, column, names_at(table.columns, &TableColumn::title),
                                     "column");
    }
    result.layers = row.integer("layers");
    result.experts = row.integer("experts");
    if (row.has("scale")) result.scale = row.text("scale");
    return result;
  }

  // Two rows in a column, or two columns in a row.
  static MtTagClaim claim_of(const PlanTable& claim, const ResultTable& table) {
    claim.allow_only({"text", "column", "row", "better", "worse"});
    if (claim.has("column") == claim.has("row")) {
      claim.fail("text", "a claim has one of the keys column and row");
    }
    const std::vector<std::string> rows = names_at(table.rows, &TableRow::variant);
    const std::vector<std::string> columns = names_at(table.columns, &TableColumn::title);
    const auto row_at = [&](const char* key) {
      claim.check_known(key, claim.text(key), rows, "row");
      return claim.text(key);
    };
    const auto column_at = [&](const char* key) {
      claim.check_known(key, claim.text(key), columns, "column");
      return claim.text(key);
    };
    MtTagClaim result;
    result.text = claim.text("text");
    if (claim.has("column")) {
      result.better = {row_at("better"), column_at("column")};
      result.worse = {row_at("worse"), column_at("column")};
    } else {
      result.better = {row_at("row"), column_at("better")};
      result.worse = {row_at("row"), column_at("worse")};
    }
    return result;
  }

  const PlanTable& root_;
  MtTagPlan plan_;
  std::map<std::string, Tasks> groups_;
  std::map<std::string, bool> multi_task_;  // by method
  std::vector<std::string> group_names_, method_names_;
};

}  // namespace

MtTagPlan read_mt_tag_plan(const std::filesystem::path& file) {
  const toml::table document = parse_plan_file(file);
  const PlanTable root(document, file.string());
  return PlanReader(root, file.string()).read();
}

}  // namespace trivium::research
