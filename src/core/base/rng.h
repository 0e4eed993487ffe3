// Random numbers that are the same on every machine: std::mt19937_64 with distributions written
// out, since the standard library's distributions differ between implementations.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace trivium {

class Rng {
 public:
  explicit Rng(uint64_t seed) : engine_(seed) {}

  uint64_t next() { return engine_(); }
  // Uniform in [0, bound); bound > 0. Unbiased (rejection).
  uint64_t below(uint64_t bound);
  // Uniform in [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  // Standard normal (Box-Muller).
  double normal();
  // Poisson with a small mean (Knuth's method).
  int poisson(double mean);

  template <typename T>
  void shuffle(std::vector<T>& items) {
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

  // The engine's state as text, and back: a resumed run draws the numbers an unbroken one draws.
  std::string state() const;
  void set_state(const std::string& state);

 private:
  std::mt19937_64 engine_;
};

}  // namespace trivium
