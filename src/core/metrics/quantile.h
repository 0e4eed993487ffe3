// Quantiles of a sample.
#pragma once

#include <vector>

namespace trivium {

// Linear interpolation between order statistics, as numpy.percentile does. `sorted` ascends and is
// not empty; 0 <= fraction <= 1.
double quantile(const std::vector<double>& sorted, double fraction);

// The middle value, or the mean of the two middle ones; 0 of no values.
double median(std::vector<double> values);

}  // namespace trivium
