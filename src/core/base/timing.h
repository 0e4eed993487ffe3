// How long something takes.
#pragma once

#include <chrono>

namespace trivium {

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace trivium
