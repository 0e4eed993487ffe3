// Every metric against the reference packages' values (tools/make_metric_golden.py), and the
// factory.
#include "core/metrics/metric.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/metrics/golden.h"

namespace trivium {
namespace {

TEST(Metric, EqualsTheReferencePackages) {
  const Json cases = read_metric_golden()["cases"];
  ASSERT_GT(cases.size(), 80u);
  for (const Json& example : cases) {
    const std::vector<Scored> items = scored_from_json(example["items"]);
    for (const auto& [name, score] : example["scores"].items()) {
      // Sums of at most 60 numbers near 1 in another order: 60 times 2^-53 is below 1e-14.
      EXPECT_NEAR(make_metric(name)->score(items), score.get<double>(), 1e-12)
          << name << " of " << example["items"].dump();
    }
  }
}

TEST(Metric, AnEmptyCorpusScoresZero) {
  for (const std::string& name : metric_names()) EXPECT_EQ(make_metric(name)->score({}), 0) << name;
}

TEST(Metric, MissingGoldsScoreZeroOrAreNamed) {
  const std::vector<Scored> items = {{"x", {}}, {"y", {}}};
  for (const std::string& name : metric_names()) {
    if (name.find("pearson") == std::string::npos && name != "spearman") {
      EXPECT_EQ(make_metric(name)->score(items), 0) << name;
    } else {
      EXPECT_THROW(make_metric(name)->score(items), Error) << name;
    }
  }
}

TEST(Metric, IllFormedUtf8IsText) {
  const std::string bytes("\xFF\xC3 \x80\xED\xA0\x80 the", 10);
  for (const std::string name :
       {"accuracy", "em", "qa_f1", "macro_f1", "rouge_l", "rouge_l_crossfit"}) {
    const double score = make_metric(name)->score({{bytes, {bytes}}});
    EXPECT_NEAR(score, 1, 1e-7) << name;
  }
}

TEST(MakeMetric, HasTheNameItWasAskedFor) {
  EXPECT_THAT(metric_names(),
              testing::UnorderedElementsAre("accuracy", "em", "qa_f1", "macro_f1", "f1_true",
                                            "matthews", "rouge_l", "rouge_l_crossfit", "pearson",
                                            "spearman", "pearson_spearman"));
  for (const std::string& name : metric_names()) EXPECT_EQ(make_metric(name)->name(), name);
}

TEST(MakeMetric, AnUnknownNameIsAUsageErrorThatNamesTheNearest) {
  try {
    make_metric("acuracy");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_THAT(error.what(), testing::HasSubstr("did you mean accuracy?"));
  }
}

}  // namespace
}  // namespace trivium
