#include "research/studies/task_level_plan.h"

#include "core/base/enum_names.h"
#include "research/studies/plan_table.h"

namespace trivium::research {
namespace {

const EnumNames<ScorePart> kPartNames = {{"seen", ScorePart::kSeen},
                                         {"zero_shot", ScorePart::kZeroShot},
                                         {"zero_shot_ranked", ScorePart::kZeroShotRanked},
                                         {"few_shot", ScorePart::kFewShot}};

}  // namespace

TaskLevelPlan read_task_level_plan(const std::filesystem::path& file) {
  const toml::table document = parse_plan_file(file);
  const PlanTable root(document, file.string());
  root.allow_only({"methods", "dense", "tried_against", "claim"});
  const std::vector<std::string> methods = root.texts("methods");
  const auto method_at = [&](const PlanTable& table, const char* key) {
    table.check_known(key, table.text(key), methods, "method");
    return table.text(key);
  };
  TaskLevelPlan plan;
  plan.dense = method_at(root, "dense");
  plan.tried_against = root.texts("tried_against");
  for (const std::string& method : plan.tried_against) {
    root.check_known("tried_against", method, methods, "method");
  }
  for (const PlanTable& claim : root.tables("claim")) {
    claim.allow_only({"text", "part", "better", "worse"});
    claim.check_known("part", claim.text("part"), names_of(kPartNames), "part of the scores");
    plan.claims.push_back({claim.text("text"), value_in(kPartNames, claim.text("part")),
                           method_at(claim, "better"), method_at(claim, "worse")});
  }
  return plan;
}

}  // namespace trivium::research
