// The experiment on token gates as a report, beside the paper's numbers.
#pragma once

#include <string>
#include <vector>

#include "research/studies/mt_tag_plan.h"
#include "research/studies/mt_tag_run.h"
#include "research/studies/report_document.h"

namespace trivium::research {

// One table: every row's scores in % with 95 % intervals, and below each the paper's. Scores whose
// fine-tunings are not all there are left empty.
ReportTable mt_tag_table(const ResultTable& table, const std::vector<MtTagRun>& runs);

// A table's rows less its base row, which it must have, with intervals: the columns that are means
// over several fine-tunings, or all where it has none.
ReportTable mt_tag_differences(const ResultTable& table, const std::vector<MtTagRun>& runs);

// The tables' claims, and what these runs say of them, where they are trained: "agrees" where the
// 95 % interval of the difference is on the claimed side of 0, "disagrees" where it is on the
// other, "open" between.
ReportTable mt_tag_claims(const std::vector<ResultTable>& tables,
                          const std::vector<MtTagRun>& runs);

// The whole report. `settings` are printed, so that a reader can run it again.
ReportDocument mt_tag_report(const std::vector<ResultTable>& tables,
                             const std::vector<MtTagRun>& runs, MtTagSettings settings,
                             const std::string& command);

}  // namespace trivium::research
