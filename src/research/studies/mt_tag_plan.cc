#include "research/studies/mt_tag_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trivium::research {
namespace {

template <typename T>
bool has(const std::vector<T>& items, const T& item) {
  return std::find(items.begin(), items.end(), item) != items.end();
}

// Whether a setting that lists `asked` leaves in what has `value`.
template <typename T>
bool is_asked(const std::optional<T>& value, const std::vector<T>& asked) {
  return !value || has(asked, *value);
}

ResultTable selected(const ResultTable& table, const MtTagSettings& settings) {
  ResultTable result = table;
  std::erase_if(result.rows, [&](const TableRow& row) {
    return !is_asked(row.layers, settings.layers) || !is_asked(row.experts, settings.experts) ||
           !is_asked(row.scale, settings.scales);
  });
  std::erase_if(result.columns,
                [&](const TableColumn& column) { return !is_asked(column.gates, settings.gates); });
  if (std::none_of(result.rows.begin(), result.rows.end(),
                   [&](const TableRow& row) { return row.variant == table.base; })) {
    result.base.clear();
  }
  return result;
}

// Every value that the setting lists must be one that the plan has somewhere.
template <typename T>
void check_asked(const MtTagPlan& plan, const char* setting, const std::vector<T>& asked,
                 const std::vector<T>& known) {
  for (const T& value : asked) {
    if (has(known, value)) continue;
    throw Error(ExitCode::kConfig, fmt::format("experiment.{}: {} has nothing for {}, only for {}",
                                               setting, plan.file, value, fmt::join(known, ", ")));
  }
}

void check_settings(const MtTagPlan& plan, const MtTagSettings& settings) {
  std::vector<int64_t> layers, experts;
  std::vector<std::string> scales, gates;
  const auto add = [](auto& known, const auto& value) {
    if (value && !has(known, *value)) known.push_back(*value);
  };
  for (const ResultTable& table : plan.tables) {
    for (const TableRow& row : table.rows) {
      add(layers, row.layers);
      add(experts, row.experts);
      add(scales, row.scale);
    }
    for (const TableColumn& column : table.columns) add(gates, column.gates);
  }
  check_asked(plan, "layers", settings.layers, layers);
  check_asked(plan, "experts", settings.experts, experts);
  check_asked(plan, "scales", settings.scales, scales);
  check_asked(plan, "gates", settings.gates, gates);
}

}  // namespace

std::string FineTuneJob::key() const {
  std::string text = task;
  if (examples > 0) text += "@" + std::to_string(examples);
  return gates.start == learning::GateStart::kOwn ? text : text + "<-" + name_of(gates);
}

const std::string& MtTagPlan::metric_of(const std::string& task) const {
  const auto found = metrics.find(task);
  return found == metrics.end() ? usual_metric : found->second;
}

std::vector<ResultTable> mt_tag_tables(const MtTagPlan& plan, const MtTagSettings& settings) {
  check_settings(plan, settings);
  std::vector<std::string> known;
  for (const ResultTable& table : plan.tables) known.push_back(table.name);
  std::vector<ResultTable> tables;
  for (const std::string& name : settings.tables) {
    const auto found = std::find(known.begin(), known.end(), name);
    if (found == known.end()) {
      throw Error(ExitCode::kConfig, "experiment.tables: " + plan.file + " has no table " + name +
                                         name_hint(name, known));
    }
    tables.push_back(selected(plan.tables[static_cast<size_t>(found - known.begin())], settings));
  }
  return tables;
}

std::vector<MtTagVariant> mt_tag_variants(const MtTagPlan& plan,
                                          const std::vector<ResultTable>& tables) {
  std::vector<MtTagVariant> variants;
  const auto named = [](const std::string& name) {
    return [&name](const MtTagVariant& variant) { return variant.name == name; };
  };
  for (const ResultTable& table : tables) {
    for (const TableRow& row : table.rows) {
      auto found = std::find_if(variants.begin(), variants.end(), named(row.variant));
      if (found == variants.end()) {
        const auto planned =
            std::find_if(plan.variants.begin(), plan.variants.end(), named(row.variant));
        check(planned != plan.variants.end(), "a row's variant is one of the plan's");
        found = variants.insert(variants.end(), *planned);
      }
      for (const TableColumn& column : table.columns) {
        for (const FineTuneJob& job : column.jobs) {
          if (!has(found->jobs, job)) found->jobs.push_back(job);
        }
      }
    }
  }
  return variants;
}

}  // namespace trivium::research
