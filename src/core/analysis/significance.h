// How likely a correlation is by chance, once and among many.
#pragma once

#include <cstddef>
#include <vector>

namespace trivium {

// The two-sided p of Pearson's r over n pairs, where none is expected: Student's t =
// r sqrt((n - 2) / (1 - r^2)) with n - 2 degrees of freedom. 1 for n < 3, where nothing is known.
double correlation_p(double r, size_t n);

// Benjamini and Hochberg's adjusted p of every test, in the order given: those below alpha are a
// set of discoveries of which a share of alpha, at most, is expected to be false.
std::vector<double> adjust_benjamini_hochberg(const std::vector<double>& p);

}  // namespace trivium
