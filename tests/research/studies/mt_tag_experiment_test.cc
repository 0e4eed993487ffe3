#include "research/studies/mt_tag_experiment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "research/studies/mt_tag_report.h"
#include "research/studies/mt_tag_statistics.h"

namespace trivium::research {
namespace {

namespace fs = std::filesystem;

// The tasks of GLUE and SciTail in miniature: the answer is in the first letter.
void write_classifier_gym(TemporaryFolder& folder) {
  std::string names;
  for (const std::string task :
       {"rte", "mrpc", "stsb", "cola", "sst2", "qnli", "qqp", "mnli", "scitail"}) {
    const bool number = task == "stsb";
    folder.write(
        "gym/" + task + "/task.json",
        "{\"name\": \"" + task + R"(", "family": "f", "fields": ["text", "label"],
      "inputs": ["text"], "target": "label", "metric": ")" +
            (number ? "pearson_spearman\"}" : "accuracy\", \"labels\": [\"no\", \"yes\"]}"));
    for (const char* split : {"train", "dev", "test"}) {
      std::string lines;
      for (int i = 0; i < 12; ++i) {
        const std::string label = number ? std::to_string(i % 5) : (i % 2 ? "\"yes\"" : "\"no\"");
        lines += std::string("{\"text\": \"") + (i % 2 ? "a" : "b") +
                 " c don't\", \"label\": " + label + "}\n";
      }
      folder.write("gym/" + task + "/" + split + ".jsonl", lines);
    }
    names += (names.empty() ? "\"" : ", \"") + task + "\"";
  }
  folder.write("gym/split.json", "{\"seen\": [" + names + "]}");
}

class MtTagExperimentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    write_classifier_gym(folder_);
    const std::string common = "[train]\nsteps = 2\nbatch_examples = 8\nprecision = \"fp32\"\n";
    folder_.write("methods/single_task.toml", common + "[model]\nnum_experts = 1\n");
    folder_.write("methods/mt_dense.toml", common + "[model]\nnum_experts = 1\n");
    folder_.write("methods/mt_switch.toml",
                  common + "[model]\nnum_experts = 2\ntoken_gates = \"shared\"\n");
    folder_.write("methods/mt_tag.toml", common + "[model]\nnum_experts = 2\n");
    settings_.init = (fs::path(TRIVIUM_TEST_DATA) / "tiny_bert").string();
    settings_.gym = (folder_.path() / "gym").string();
    settings_.methods_folder = (folder_.path() / "methods").string();
    settings_.plan = TRIVIUM_SOURCE_DIR "/configs/mt_tag/plan.toml";
    settings_.tables = {"T1", "T6"};
    settings_.gates = {"random", "mnli", "nearest"};
    settings_.max_length = 16;
    settings_.output = (folder_.path() / "out").string();
    settings_.seeds = {1, 2};
    settings_.epochs = 1;
    settings_.fine_tune.batch_examples = 6;
    settings_.fine_tune.precision = learning::Precision::kFloat32;
  }

  TemporaryFolder folder_;
  MtTagSettings settings_;
};

TEST_F(MtTagExperimentTest, TrainsScoresAndGoesOnWhereItWas) {
  MtTagExperiment experiment(settings_, nullptr);
  ASSERT_TRUE(experiment.run());
  ASSERT_EQ(experiment.runs().size(), 4u);
  EXPECT_EQ(experiment.runs()[0].variant, "single_task");
  EXPECT_EQ(experiment.runs()[0].runs.size(), 16u);  // eight tasks, two seeds
  EXPECT_EQ(experiment.runs()[0].training_steps, 0);
  const MtTagRun& tag = experiment.runs()[3];
  EXPECT_EQ(tag.runs.size(), 16u + 6u);  // and three gates, two seeds
  EXPECT_EQ(tag.training_steps, 2);
  EXPECT_EQ(tag.use.size(), 8u);
  EXPECT_EQ(tag.use.at("rte").size(), 3u);  // layers
  double share = 0;
  for (const double expert : tag.use.at("rte")[0]) share += expert;
  EXPECT_NEAR(share, 1, 1e-9);
  for (const FineTuneRun& run : tag.runs) {
    EXPECT_EQ(run.answers.at("").size(), 12u) << run.job;
    if (run.job == "scitail@235<-nearest") continue;
    std::string expected = run.task;
    if (run.job == "scitail@235<-random") expected = "";
    if (run.job == "scitail@235<-mnli") expected = "mnli";
    EXPECT_EQ(run.gates, expected) << run.job;
  }

  // A second time nothing is trained: the kept results are the answer, byte for byte.
  const std::string kept = read_file(folder_.path() / "out/mt_tag/seed42/results.json");
  fs::remove_all(folder_.path() / "out/mt_tag/seed42/multi_task");
  MtTagExperiment again(settings_, nullptr);
  ASSERT_TRUE(again.run());
  EXPECT_FALSE(fs::exists(folder_.path() / "out/mt_tag/seed42/multi_task"));
  EXPECT_EQ(read_file(folder_.path() / "out/mt_tag/seed42/results.json"), kept);

  // Stopped in the middle of a training, it goes on from there to the same answers.
  fs::remove_all(folder_.path() / "out/mt_tag");
  const std::atomic<bool> stop = true;
  MtTagExperiment stopped(settings_, &stop);
  EXPECT_FALSE(stopped.run());
  EXPECT_TRUE(fs::exists(folder_.path() / "out/mt_tag/seed42/unfinished"));
  MtTagExperiment resumed(settings_, nullptr);
  ASSERT_TRUE(resumed.run());
  EXPECT_FALSE(fs::exists(folder_.path() / "out/mt_tag/seed42/unfinished"));
  const Json before = Json::parse(kept);
  const Json after = Json::parse(read_file(folder_.path() / "out/mt_tag/seed42/results.json"));
  EXPECT_EQ(after.at("runs"), before.at("runs"));
  EXPECT_EQ(after.at("training_examples"), before.at("training_examples"));

  // Scores by another metric than the plan's are not taken for those by this one.
  std::string plan = read_file(settings_.plan);
  const std::string usual = "usual = \"accuracy\"";
  plan.replace(plan.find(usual), usual.size(), "usual = \"macro_f1\"");
  MtTagSettings by_f1 = settings_;
  by_f1.plan = folder_.write("plan.toml", plan).string();
  MtTagExperiment rescored(by_f1, nullptr);
  ASSERT_TRUE(rescored.run());
  ASSERT_EQ(rescored.runs()[3].runs.size(), tag.runs.size());
  for (const FineTuneRun& run : rescored.runs()[3].runs) {
    EXPECT_EQ(run.metric, run.task == "stsb"   ? "spearman"
                          : run.task == "cola" ? "matthews"
                                               : "macro_f1");
  }

  // Results of other settings are not mixed with these.
  MtTagSettings changed = settings_;
  changed.epochs = 2;
  MtTagExperiment other(changed, nullptr);
  EXPECT_THROW(other.run(), Error);

  const std::vector<ResultTable>& tables = experiment.tables();
  const ReportTable t1 = mt_tag_table(tables[0], experiment.runs());
  EXPECT_EQ(t1.rows.size(), 8u);  // four models, and the paper's row below each
  EXPECT_EQ(t1.rows[7].at(10), "82.5");
  EXPECT_THAT(t1.rows[6].at(10), testing::HasSubstr("["));
  EXPECT_THAT(mt_tag_report(tables, experiment.runs(), settings_, "the command").to_markdown(),
              testing::HasSubstr("MT-TaG is above MT-Dense over all tasks"));
}

TEST_F(MtTagExperimentTest, AStoppedRunSaysSo) {
  const std::atomic<bool> stop = true;
  MtTagExperiment experiment(settings_, &stop);
  EXPECT_FALSE(experiment.run());
}

TEST_F(MtTagExperimentTest, EverySeedOfTrainingIsARunOfItsOwn) {
  settings_.tables = {"T1"};
  settings_.training_seeds = {42, 43};
  settings_.seeds = {1};
  MtTagExperiment experiment(settings_, nullptr);
  ASSERT_TRUE(experiment.run());
  std::vector<std::string> runs;
  for (const MtTagRun& run : experiment.runs()) {
    runs.push_back(run.variant + " " + std::to_string(run.training_seed));
  }
  EXPECT_THAT(runs, testing::ElementsAre("single_task 42", "mt_dense 42", "mt_dense 43",
                                         "mt_switch 42", "mt_switch 43", "mt_tag 42", "mt_tag 43"));
  EXPECT_NE(experiment.runs()[5].last_loss, experiment.runs()[6].last_loss);
  EXPECT_TRUE(fs::exists(folder_.path() / "out/mt_tag/seed43/multi_task"));

  // Results of one seed do not depend on which others were asked for.
  settings_.training_seeds = {43};
  settings_.output = (folder_.path() / "alone").string();
  MtTagExperiment alone(settings_, nullptr);
  ASSERT_TRUE(alone.run());
  EXPECT_EQ(to_json(alone.runs()[3]).at("runs"), to_json(experiment.runs()[6]).at("runs"));
  settings_.training_seeds = {};
  EXPECT_THROW(MtTagExperiment(settings_, nullptr), Error);
}

TEST_F(MtTagExperimentTest, ChangedTestsAreScoredWhereATableAsksForThem) {
  settings_.tables = {"T3"};
  settings_.seeds = {1};
  MtTagExperiment experiment(settings_, nullptr);
  ASSERT_TRUE(experiment.run());
  ASSERT_EQ(experiment.runs().size(), 6u);
  EXPECT_EQ(experiment.runs()[0].variant, "mt_dense-c_glue");
  for (const FineTuneRun& run : experiment.runs()[5].runs) {
    EXPECT_THAT(run.answers, testing::SizeIs(4)) << run.job;
  }
  EXPECT_EQ(experiment.runs()[4].use.size(), 6u);  // C-GLUE has six tasks
}

TEST_F(MtTagExperimentTest, AVariantWhoseSettingsCannotBeReadIsRefusedAtOnce) {
  folder_.write("methods/mt_switch.toml", "[model]\nnum_expert = 2\n");
  EXPECT_THROW(MtTagExperiment(settings_, nullptr), Error);
  settings_.tables = {"T6"};  // which has no MT-Switch
  EXPECT_NO_THROW(MtTagExperiment(settings_, nullptr));
}

// ---- Statistics

MtTagRun mt_tag_run_of(std::vector<std::vector<std::string>> answers_by_seed) {
  MtTagRun run;
  run.golds["rte"] = {"yes", "no", "yes", "no"};
  int64_t seed = 0;
  for (auto& answers : answers_by_seed) {
    FineTuneRun item;
    item.job = item.task = "rte";
    item.metric = "accuracy";
    item.seed = ++seed;
    item.dev = static_cast<double>(seed);
    item.answers[""] = std::move(answers);
    run.runs.push_back(std::move(item));
  }
  return run;
}

TEST(MtTagStatistics, MeansOverSeedsAndPairedDifferences) {
  const TableColumn column{"rte", {{"rte", 0, {}}}, ""};
  const MtTagRun good = mt_tag_run_of({{"yes", "no", "yes", "no"}, {"yes", "no", "yes", "yes"}});
  const MtTagRun bad = mt_tag_run_of({{"no", "yes", "no", "yes"}});
  const BootstrapScore a = column_score({&good}, column), b = column_score({&bad}, column);
  EXPECT_NEAR(a.value, 87.5, 1e-9);
  EXPECT_LE(a.interval.low, a.value);
  EXPECT_GE(a.interval.high, a.value);
  EXPECT_EQ(b.value, 0);
  const BootstrapScore gain = difference(a, b);
  EXPECT_NEAR(gain.value, 87.5, 1e-9);
  EXPECT_GT(gain.interval.low, 0);
  EXPECT_EQ(difference(a, a).interval.low, 0);
  EXPECT_FALSE(column_score({&good}, {"cola", {{"cola", 0, {}}}, ""}).known);
}

TEST(MtTagStatistics, TrainingsAreDrawnTooWhereThereAreSeveral) {
  const TableColumn column{"rte", {{"rte", 0, {}}}, ""};
  // Each training gets every line right or every line wrong: only its seed tells.
  const MtTagRun good = mt_tag_run_of({{"yes", "no", "yes", "no"}});
  const MtTagRun bad = mt_tag_run_of({{"no", "yes", "no", "yes"}});
  const BootstrapScore one = column_score({&good}, column);
  EXPECT_EQ(one.interval.low, 100);
  const BootstrapScore both = column_score({&good, &bad}, column);
  EXPECT_EQ(both.value, 50);
  EXPECT_EQ(both.interval.low, 0);
  EXPECT_EQ(both.interval.high, 100);
  // A row is paired with itself, trainings included.
  EXPECT_EQ(difference(both, column_score({&good, &bad}, column)).interval.high, 0);
  const MtTagRun unfinished;
  EXPECT_FALSE(column_score({&good, &unfinished}, column).known);
  EXPECT_FALSE(column_score({}, column).known);
}

TEST(MtTagStatistics, TheBestSeedIsThatOfDev) {
  const MtTagRun run = mt_tag_run_of({{"yes", "no", "yes", "no"}, {"yes", "no", "yes", "yes"}});
  const SeedScores scores = seed_scores(run, {"rte", 0, {}});
  EXPECT_EQ(scores.seeds, 2u);
  EXPECT_NEAR(scores.mean, 87.5, 1e-9);
  EXPECT_NEAR(scores.deviation, 12.5 * std::sqrt(2.0), 1e-9);
  EXPECT_NEAR(scores.best, 75, 1e-9);
}

}  // namespace
}  // namespace trivium::research
