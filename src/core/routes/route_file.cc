#include "core/routes/route_file.h"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "core/base/error.h"
#include "core/base/file.h"

namespace trivium {
namespace {

constexpr std::string_view kBegin = "{\"step\":";  // of every line

}  // namespace

void RouteFile::add(int64_t step, const RouteDump& routes) {
  Json line{{"step", step}};
  line.update(to_json(routes));
  std::filesystem::create_directories(path_.parent_path());
  std::ofstream out(path_, std::ios::app);
  out << to_json_line(line) << '\n';
  out.flush();
  if (!out) throw Error(ExitCode::kIo, "cannot write " + path_.string());
}

void RouteFile::truncate_after(int64_t step) {
  if (!std::filesystem::exists(path_)) return;
  std::istringstream in(read_file(path_));
  std::string kept, line;
  while (std::getline(in, line) && !in.eof()) {  // a whole line does not reach the end
    if (line.starts_with(kBegin) && std::atoll(line.c_str() + kBegin.size()) <= step) {
      kept += line + "\n";
    }
  }
  write_file_atomically(path_, kept);
}

std::vector<RouteMoment> read_route_file(const std::filesystem::path& path, size_t most) {
  check(most >= 2, "the first and the last moment at least");
  std::istringstream in(read_file(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  if (lines.empty()) throw Error(ExitCode::kBadData, path.string() + " holds no routes");
  const size_t count = std::min(most, lines.size());
  std::vector<RouteMoment> moments;
  for (size_t i = 0; i < count; ++i) {
    const size_t place = count == 1 ? 0 : i * (lines.size() - 1) / (count - 1);
    const std::string where = path.string() + ":" + std::to_string(place + 1);
    const Json json = parse_json(lines[place], where);
    moments.push_back({json_get<int64_t>(json, "step", where), route_dump_from_json(json, where)});
  }
  return moments;
}

}  // namespace trivium
