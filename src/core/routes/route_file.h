// How routes changed while a model was trained: routes.jsonl, one line a moment.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "core/routes/route_dump.h"

namespace trivium {

struct RouteMoment {
  int64_t step = 0;
  RouteDump routes;
};

// Lines {"step": N, ...the dump (route_dump.h)}. Like the curves, nothing depends on the clock: a
// run repeated, or resumed, gives the same bytes.
class RouteFile {
 public:
  explicit RouteFile(std::filesystem::path path) : path_(std::move(path)) {}
  // Appends. Error kIo.
  void add(int64_t step, const RouteDump& routes);
  // Drops the lines after `step`, which a run that goes on from there writes again, and a last line
  // that a crash has cut.
  void truncate_after(int64_t step);

 private:
  std::filesystem::path path_;
};

// At most `most` moments of the file, evenly spread, the first and the last among them. Error
// kMissingInput, kBadData naming file:line.
std::vector<RouteMoment> read_route_file(const std::filesystem::path& path, size_t most);

}  // namespace trivium
