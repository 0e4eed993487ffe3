#include "core/base/rng.h"

#include <cmath>
#include <numbers>
#include <sstream>

#include "core/base/error.h"

namespace trivium {

uint64_t Rng::below(uint64_t bound) {
  check(bound > 0, "Rng::below needs a positive bound");
  const uint64_t limit = bound * (~uint64_t{0} / bound);
  uint64_t value;
  do value = next();
  while (value >= limit);
  return value % bound;
}

double Rng::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

int Rng::poisson(double mean) {
  const double limit = std::exp(-mean);
  double product = uniform();
  int count = 0;
  for (; product > limit; product *= uniform()) ++count;
  return count;
}

std::string Rng::state() const {
  std::ostringstream out;
  out << engine_;
  return out.str();
}

void Rng::set_state(const std::string& state) {
  std::istringstream in(state);
  in >> engine_;
  if (in.fail()) throw Error(ExitCode::kBadModel, "the saved random state is malformed");
}

}  // namespace trivium
