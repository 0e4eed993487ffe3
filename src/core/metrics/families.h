// The makers of the metrics, one a metric; each family is the file of its name. Only metric.cc,
// which gives them their names, includes this.
#pragma once

#include <memory>

#include "core/metrics/metric.h"

namespace trivium {

// exact_match.cc
std::unique_ptr<Metric> make_accuracy();
std::unique_ptr<Metric> make_em();
// qa_f1.cc
std::unique_ptr<Metric> make_qa_f1();
// rouge.cc
std::unique_ptr<Metric> make_rouge_l();
std::unique_ptr<Metric> make_rouge_l_crossfit();
// classification.cc
std::unique_ptr<Metric> make_macro_f1();
std::unique_ptr<Metric> make_f1_true();
std::unique_ptr<Metric> make_matthews();
// correlation.cc
std::unique_ptr<Metric> make_pearson();
std::unique_ptr<Metric> make_spearman();
std::unique_ptr<Metric> make_pearson_spearman();

}  // namespace trivium
