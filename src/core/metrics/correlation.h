// Correlation of paired numbers.
#pragma once

#include <vector>

namespace trivium {

// Pearson's correlation coefficient; 0 when either is constant: no correlation is defined there,
// and a NaN would poison every mean.
double pearson(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace trivium
