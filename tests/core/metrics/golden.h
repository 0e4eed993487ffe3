// The reference scores that tools/make_metric_golden.py wrote.
#pragma once

#include <vector>

#include "core/base/json.h"
#include "core/metrics/metric.h"

namespace trivium {

inline Json read_metric_golden() {
  return read_json_file(TRIVIUM_TEST_DATA "/metrics/golden.json");
}

// From [[prediction, [gold…]]…].
inline std::vector<Scored> scored_from_json(const Json& json) {
  std::vector<Scored> items;
  for (const Json& item : json) {
    items.push_back({item[0].get<std::string>(), item[1].get<std::vector<std::string>>()});
  }
  return items;
}

}  // namespace trivium
