// A made-up dump of routes.
#pragma once

#include <string>
#include <vector>

#include "core/routes/route_dump.h"

namespace trivium {

// `tasks` of one family each two ("even", "odd"), sorted by family as a dump is; two layers of
// three experts. Tasks of the family "odd" lean to expert 2 of encoder 2 and use it.
inline RouteDump toy_routes(size_t tasks = 6) {
  RouteDump dump{{{false, 1}, {true, 0}}, 3, 0.5, {}};
  for (const bool odd : {false, true}) {
    for (size_t i = odd ? 1 : 0; i < tasks; i += 2) {
      const float lean = 0.6f + 0.01f * static_cast<float>(i);
      RouteRow row{"task" + std::to_string(i), odd ? "odd" : "even", {}, {}};
      row.likely = odd ? std::vector<float>{0.1f, lean, 0.9f - lean}
                       : std::vector<float>{lean, 0.1f, 0.9f - lean};
      row.used = odd ? std::vector<float>{0, 1, 0} : std::vector<float>{1, 0, 0};
      row.likely.insert(row.likely.end(), {0.25f, 0.25f, 0.5f});
      row.used.insert(row.used.end(), {0, 0, 1});
      dump.tasks.push_back(std::move(row));
    }
  }
  return dump;
}

}  // namespace trivium
