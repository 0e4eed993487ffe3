// The comparison of ways to route, as tables, pictures and plain statements.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/analysis/correlation_report.h"
#include "core/routes/route_dump.h"
#include "research/settings/experiment_settings.h"
#include "research/studies/method_run.h"
#include "research/studies/report_document.h"
#include "research/studies/task_level_plan.h"
#include "research/studies/tried_setting.h"

namespace trivium::research {

// What was learned by the method with learned routes, if there is one.
struct LearnedRoutes {
  std::string method;
  RouteDump routes;
  CorrelationReport correlation;
};

// The baseline x {seen, unseen zero-shot, unseen few-shot} table alone, with intervals and ARG.
ReportTable comparison_table(const TaskLevelPlan& plan, const std::vector<MethodRun>& runs,
                             const std::vector<std::string>& methods);

// The plan's claims, and what these runs say of them: "agrees" where the 95 % interval of the
// difference is on the claimed side of 0, "disagrees" where it is on the other, "open" between.
ReportTable claims_table(const TaskLevelPlan& plan, const std::vector<MethodRun>& runs,
                         const std::vector<std::string>& methods);

// Every setting that was tried beside the methods: what it changes, its score on seen tasks, and
// the differences from the methods that the plan names for that, paired by task.
ReportTable tried_table(const TaskLevelPlan& plan, const std::vector<MethodRun>& runs,
                        const std::vector<TriedSetting>& tried);

// The whole report. `settings` are printed, so that a reader can run it again.
ReportDocument task_level_report(const TaskLevelPlan& plan, const std::vector<MethodRun>& runs,
                                 const std::vector<TriedSetting>& tried, TaskLevelSettings settings,
                                 const std::string& command,
                                 const std::vector<LearnedRoutes>& learned);

}  // namespace trivium::research
