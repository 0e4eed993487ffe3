#include "research/studies/mt_tag_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "core/base/text.h"
#include "learning/settings/classifier_settings.h"

namespace trivium::research {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::filesystem::path kSource = TRIVIUM_SOURCE_DIR;

MtTagPlan shipped_plan() { return read_mt_tag_plan(kSource / "configs/mt_tag/plan.toml"); }

const ResultTable& table_named(const std::vector<ResultTable>& tables, const std::string& name) {
  for (const ResultTable& table : tables) {
    if (table.name == name) return table;
  }
  throw std::runtime_error("no table " + name);
}

std::vector<std::string> variants_of(const ResultTable& table) {
  std::vector<std::string> names;
  for (const TableRow& row : table.rows) names.push_back(row.variant);
  return names;
}

std::vector<std::string> titles_of(const ResultTable& table) {
  std::vector<std::string> titles;
  for (const TableColumn& column : table.columns) titles.push_back(column.title);
  return titles;
}

// ---- The shipped plan

// The cells of a row of the specification's tables.
std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  for (const std::string& cell : split(line, '|')) cells.emplace_back(trim(cell));
  if (cells.size() < 3) return {};
  return {cells.begin() + 1, cells.end() - 1};
}

TEST(MtTagPlan, ThePapersNumbersAreThoseOfTheSpecification) {
  std::vector<std::vector<std::string>> lines;
  for (const std::string& line : split(read_file(kSource / "docs/spec/mt_tag.md"), '\n')) {
    if (line.starts_with("| ")) lines.push_back(cells_of(line));
  }
  const MtTagPlan plan = shipped_plan();
  for (const char* name : {"T1", "T2", "T3"}) {
    const ResultTable& table = table_named(plan.tables, name);
    for (const TableRow& row : table.rows) {
      const auto line = std::find_if(lines.begin(), lines.end(), [&](const auto& cells) {
        return cells.size() == row.paper.size() + 1 && cells[0] == row.label;
      });
      ASSERT_NE(line, lines.end()) << name << " " << row.label;
      size_t cell = 0;
      for (const TableColumn& column : table.columns) {
        if (!column.perturbation.empty()) continue;
        EXPECT_DOUBLE_EQ(row.paper.at(column.title), std::stod(line->at(++cell)))
            << name << " " << row.label << " " << column.title;
      }
      EXPECT_EQ(cell + 1, line->size());
    }
  }
}

TEST(MtTagPlan, ThePapersMeansAreThoseOfItsRows) {
  const MtTagPlan plan = shipped_plan();
  for (const char* name : {"T1", "T3"}) {
    const ResultTable& table = table_named(plan.tables, name);
    for (const TableRow& row : table.rows) {
      size_t means = 0;
      for (const TableColumn& column : table.columns) {
        if (column.jobs.size() < 2 || !column.perturbation.empty()) continue;
        double sum = 0;
        for (const FineTuneJob& job : column.jobs) sum += row.paper.at(job.task);
        EXPECT_NEAR(sum / static_cast<double>(column.jobs.size()), row.paper.at(column.title),
                    0.051)
            << name << " " << row.label << " " << column.title;
        ++means;
      }
      EXPECT_EQ(means, 2u);  // Small and All
    }
  }
}

TEST(MtTagPlan, EveryVariantsSettingsLoad) {
  std::map<std::string, learning::ClassifierSettings> settings;
  for (const MtTagVariant& variant : shipped_plan().variants) {
    load_settings(settings[variant.name], kSource / "configs/mt_tag" / (variant.method + ".toml"),
                  variant.overrides);
    EXPECT_EQ(variant.multi_task, variant.method != "single_task") << variant.name;
    EXPECT_TRUE(variant.name == variant.method || variant.name.starts_with(variant.method + "-"))
        << variant.name;
  }
  EXPECT_EQ(settings.at("single_task-layers4").encoder_layers, 4);
  EXPECT_EQ(settings.at("mt_tag-layers2").encoder_layers, 2);
  EXPECT_EQ(settings.at("mt_tag-experts6").num_experts, 6);
  EXPECT_EQ(settings.at("mt_tag-scale_none").gate_scale, GateScale::kNone);
  EXPECT_EQ(settings.at("mt_tag-uniform").sampling, learning::TaskShares::kUniform);
  EXPECT_EQ(settings.at("mt_tag-embeddings").gate_embedding_dim, 64);
  EXPECT_EQ(settings.at("mt_tag-glue_plus").tasks.size(), 16u);
  EXPECT_THAT(settings.at("mt_switch-c_glue").tasks,
              ElementsAre("rte", "mrpc", "stsb", "qnli", "qqp", "mnli"));
  EXPECT_EQ(settings.at("mt_switch-c_glue").token_gates, TokenGates::kShared);
}

TEST(MtTagPlan, HasTheDefaultSettingsTables) {
  const MtTagPlan plan = shipped_plan();
  const std::vector<ResultTable> tables = mt_tag_tables(plan, MtTagSettings());
  EXPECT_EQ(tables.size(), plan.tables.size());
  EXPECT_THAT(titles_of(table_named(tables, "T6")),
              ElementsAre("random", "sst2", "rte", "mnli", "nearest"));
  EXPECT_THAT(variants_of(table_named(tables, "scale")),
              ElementsAre("mt_dense", "mt_tag", "mt_tag-scale_probability", "mt_tag-scale_none"));
  EXPECT_EQ(table_named(tables, "T4").rows.size(), 6u);
  EXPECT_EQ(table_named(tables, "T8").rows.size(), 3u);
  size_t claims = 0;
  for (const ResultTable& table : tables) claims += table.claims.size();
  EXPECT_EQ(claims, 17u);
  EXPECT_EQ(plan.metric_of("stsb"), "spearman");
  EXPECT_EQ(plan.metric_of("multirc"), "f1_true");
  EXPECT_EQ(plan.metric_of("rte"), "accuracy");
}

TEST(MtTagPlan, EveryTrainingIsPlannedOnce) {
  const MtTagPlan plan = shipped_plan();
  std::vector<std::string> names;
  for (const MtTagVariant& variant : mt_tag_variants(plan, mt_tag_tables(plan, MtTagSettings()))) {
    EXPECT_THAT(names, testing::Not(testing::Contains(variant.name)));
    names.push_back(variant.name);
    EXPECT_FALSE(variant.jobs.empty());
    for (size_t i = 0; i < variant.jobs.size(); ++i) {
      for (size_t j = 0; j < i; ++j) EXPECT_NE(variant.jobs[i].key(), variant.jobs[j].key());
    }
  }
  // The folders that runs were kept in before there was a file.
  EXPECT_THAT(names,
              testing::UnorderedElementsAre(
                  "single_task", "mt_dense", "mt_switch", "mt_tag", "mt_dense-c_glue",
                  "mt_switch-c_glue", "mt_tag-c_glue", "single_task-layers2", "mt_tag-layers2",
                  "single_task-layers4", "mt_tag-layers4", "mt_tag-glue_plus", "mt_tag-uniform",
                  "mt_tag-uniform_then_natural", "mt_tag-experts2", "mt_tag-experts6",
                  "mt_tag-scale_probability", "mt_tag-scale_none", "mt_tag-embeddings"));
}

TEST(MtTagPlan, SettingsChooseRowsAndColumns) {
  const MtTagPlan plan = shipped_plan();
  MtTagSettings settings;
  settings.tables = {"T8", "T4", "T6"};
  settings.layers = {2};
  settings.experts = {4, 2};
  settings.gates = {"nearest", "random"};
  const std::vector<ResultTable> tables = mt_tag_tables(plan, settings);
  ASSERT_EQ(tables.size(), 3u);
  EXPECT_THAT(variants_of(tables[0]), ElementsAre("mt_tag-experts2", "mt_tag"));
  EXPECT_EQ(tables[0].base, "mt_tag");
  EXPECT_THAT(variants_of(tables[1]), ElementsAre("single_task-layers2", "mt_tag-layers2"));
  EXPECT_EQ(tables[1].base, "");  // it has six layers
  EXPECT_THAT(titles_of(tables[2]), ElementsAre("random", "nearest"));
}

TEST(MtTagPlan, SettingsThatItHasNothingForAreRefused) {
  const MtTagPlan plan = shipped_plan();
  const auto message = [&](auto change) -> std::string {
    MtTagSettings settings;
    change(settings);
    try {
      mt_tag_tables(plan, settings);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kConfig);
      return error.what();
    }
    return "nothing was thrown";
  };
  EXPECT_THAT(message([](MtTagSettings& s) { s.tables = {"T9"}; }), HasSubstr("no table T9"));
  EXPECT_THAT(message([](MtTagSettings& s) { s.layers = {3}; }), HasSubstr("only for 2, 4, 6"));
  EXPECT_THAT(message([](MtTagSettings& s) { s.experts = {5}; }), HasSubstr("experiment.experts"));
  EXPECT_THAT(message([](MtTagSettings& s) { s.gates = {"wnli"}; }), HasSubstr("for wnli"));
  EXPECT_THAT(message([](MtTagSettings& s) { s.scales = {"half"}; }), HasSubstr("for half"));
}

TEST(FineTuneJob, KeysAreThoseOfKeptResults) {
  EXPECT_EQ((FineTuneJob{"rte", 0, {}}).key(), "rte");
  EXPECT_EQ((FineTuneJob{"scitail", 235, learning::gate_choice("mnli")}).key(),
            "scitail@235<-mnli");
  EXPECT_EQ((FineTuneJob{"scitail", 0, learning::gate_choice("nearest")}).key(),
            "scitail<-nearest");
  EXPECT_EQ((FineTuneJob{"scitail", 5, learning::gate_choice("random")}).key(),
            "scitail@5<-random");
}

// ---- How a plan is read

// Its lines are counted below.
const std::string kPlan = R"([groups]
small = ["rte"]
all = ["rte", "mnli"]
[metrics]
usual = "accuracy"
of_task = { mnli = "matthews" }
[methods]
dense = { multi_task = true }
[variants]
dense = { title = "Dense", method = "dense" }
dense-half = { title = "Half", method = "dense", overrides = ["model.encoder_layers=2"], mixture = "small" }
[[table]]
name = "A"
title = "Some"
base = "dense"
columns = [
  { each = "small" },
  { title = "All", tasks = "all", perturbation = "typos" },
  { title = "few", job = { task = "rte", lines = 5, gates = "nearest" }, gates = "nearest" },
]
[[table.row]]
variant = "dense"
paper = { rte = 1.5, All = 2 }
[[table.row]]
variant = "dense-half"
layers = 2
[[table.claim]]
text = "a claim"
column = "All"
better = "dense"
worse = "dense-half"
[[table.claim]]
text = "another"
row = "dense"
better = "few"
worse = "rte"
)";

TEST(MtTagPlanFile, IsReadAsItIsWritten) {
  const TemporaryFolder folder;
  const MtTagPlan plan = read_mt_tag_plan(folder.write("plan.toml", kPlan));
  EXPECT_EQ(plan.metric_of("mnli"), "matthews");
  ASSERT_EQ(plan.variants.size(), 2u);
  EXPECT_EQ(plan.variants[1].name, "dense-half");
  EXPECT_THAT(plan.variants[1].overrides,
              ElementsAre("model.encoder_layers=2", "data.tasks=[\"rte\"]"));
  ASSERT_EQ(plan.tables.size(), 1u);
  const ResultTable& table = plan.tables[0];
  EXPECT_THAT(titles_of(table), ElementsAre("rte", "All", "few"));
  EXPECT_EQ(table.columns[1].jobs.size(), 2u);
  EXPECT_EQ(table.columns[1].perturbation, "typos");
  EXPECT_EQ(table.columns[2].jobs.at(0).key(), "rte@5<-nearest");
  EXPECT_EQ(table.columns[2].gates, "nearest");
  EXPECT_EQ(table.rows[0].label, "Dense");
  EXPECT_EQ(table.rows[0].paper.at("All"), 2);
  EXPECT_FALSE(table.rows[0].layers.has_value());
  EXPECT_EQ(table.rows[1].layers, 2);
  ASSERT_EQ(table.claims.size(), 2u);
  EXPECT_EQ(table.claims[0].worse.variant, "dense-half");
  EXPECT_EQ(table.claims[0].worse.column, "All");
  EXPECT_EQ(table.claims[1].better.variant, "dense");
  EXPECT_EQ(table.claims[1].better.column, "few");
}

struct Mistake {
  std::string right, wrong;  // what of kPlan is replaced, and by what
  int line;
  std::string message;  // has this
};

TEST(MtTagPlanFile, MistakesAreRefusedWithFileLineAndNearestName) {
  const std::vector<Mistake> mistakes = {
      {"usual = \"accuracy\"", "usual = \"acuracy\"", 5, "did you mean accuracy"},
      {"mnli = \"matthews\"", "mnli = 1", 6, "must be a string"},
      {"multi_task = true", "multitask = true", 8, "did you mean multi_task"},
      {"multi_task = true", "multi_task = 1", 8, "must be true or false"},
      {"method = \"dense\" }", "method = \"dens\" }", 10, "did you mean dense"},
      {", method = \"dense\" }", " }", 10, "method: the key is missing"},
      {"dense-half = {", "\"dense/half\" = {", 11, "cannot be the name of a folder"},
      {"[\"model.encoder_layers=2\"]", "[\"model.encoder_layers\"]", 11, "KEY=VALUE"},
      {"mixture = \"small\"", "mixture = \"smal\"", 11, "did you mean small"},
      {"base = \"dense\"", "base = \"half\"", 15, "there is no row \"half\""},
      {"each = \"small\"", "each = \"smal\"", 17, "did you mean small"},
      {"each = \"small\"", "each = \"small\", title = \"x\"", 17, "title"},
      {"perturbation = \"typos\"", "perturbation = \"typo\"", 18, "did you mean typos"},
      {"title = \"few\"", "title = \"rte\"", 19, "a second column \"rte\""},
      {"lines = 5", "lines = -5", 19, "must not be negative"},
      {"lines = 5", "line = 5", 19, "did you mean lines"},
      {"job = { task", "tasks = \"all\", job = { task", 19, "each, tasks and job"},
      {"paper = { rte", "paper = { mnli", 23, "there is no column \"mnli\""},
      {"rte = 1.5", "rte = \"1.5\"", 23, "must be a number"},
      {"variant = \"dense-half\"", "variant = \"dense-hal\"", 25, "did you mean dense-half"},
      {"variant = \"dense-half\"", "variant = \"dense\"", 25, "a second row of \"dense\""},
      {"layers = 2\n", "layers = \"2\"\n", 26, "must be an integer"},
      {"layers = 2\n", "layer = 2\n", 26, "did you mean layers"},
      {"column = \"All\"", "column = \"Al\"", 29, "there is no column \"Al\""},
      {"worse = \"dense-half\"", "worse = \"half\"", 31, "there is no row \"half\""},
      {"better = \"few\"", "better = \"dense\"", 35, "there is no column \"dense\""},
  };
  const TemporaryFolder folder;
  for (const Mistake& mistake : mistakes) {
    std::string text = kPlan;
    const size_t at = text.find(mistake.right);
    ASSERT_NE(at, std::string::npos) << mistake.right;
    text.replace(at, mistake.right.size(), mistake.wrong);
    try {
      read_mt_tag_plan(folder.write("plan.toml", text));
      ADD_FAILURE() << "was read: " << mistake.wrong;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kConfig);
      EXPECT_THAT(error.what(), HasSubstr("plan.toml:" + std::to_string(mistake.line) + ": "))
          << mistake.wrong;
      EXPECT_THAT(error.what(), HasSubstr(mistake.message)) << mistake.wrong;
    }
  }
}

ExitCode code_of_reading(const std::filesystem::path& file) {
  try {
    read_mt_tag_plan(file);
  } catch (const Error& error) {
    return error.code();
  }
  return ExitCode::kOk;
}

TEST(MtTagPlanFile, WhatIsNoPlanIsRefused) {
  const TemporaryFolder folder;
  EXPECT_EQ(code_of_reading(folder.path() / "none.toml"), ExitCode::kMissingInput);
  EXPECT_EQ(code_of_reading(folder.write("a.toml", "[groups\n")), ExitCode::kConfig);
  EXPECT_EQ(code_of_reading(folder.write("b.toml", "[groups]\na = [\"rte\"]\n")),
            ExitCode::kConfig);
  EXPECT_EQ(code_of_reading(folder.write("c.toml", kPlan.substr(0, kPlan.find("[[table]]")))),
            ExitCode::kConfig);
  EXPECT_EQ(code_of_reading(folder.write("d.toml", "more = 1\n" + kPlan)), ExitCode::kConfig);
}

}  // namespace
}  // namespace trivium::research
