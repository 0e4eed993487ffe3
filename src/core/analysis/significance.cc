#include "core/analysis/significance.h"

#include <algorithm>
#include <boost/math/special_functions/beta.hpp>
#include <numeric>

namespace trivium {

double correlation_p(double r, size_t n) {
  if (n < 3) return 1;
  const double degrees = static_cast<double>(n) - 2;
  // P(|T| > t) = I_{df / (df + t^2)}(df / 2, 1 / 2), and df / (df + t^2) is 1 - r^2.
  return boost::math::ibeta(degrees / 2, 0.5, std::clamp((1 - r) * (1 + r), 0.0, 1.0));
}

std::vector<double> adjust_benjamini_hochberg(const std::vector<double>& p) {
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] < p[b]; });
  std::vector<double> adjusted(p.size());
  double least = 1;
  for (size_t rank = p.size(); rank > 0; --rank) {
    const size_t test = order[rank - 1];
    least = std::min(least, p[test] * static_cast<double>(p.size()) / static_cast<double>(rank));
    adjusted[test] = least;
  }
  return adjusted;
}

}  // namespace trivium
