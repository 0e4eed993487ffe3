// Another setting of a method, tried beside it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace trivium::research {

struct TriedSetting {
  std::string name;    // of its row and its folder
  std::string method;  // whose settings it changes
  std::vector<std::string> overrides;
};

// From a TOML file of tables [[tried]] with these three keys, in its order. Error kMissingInput;
// kConfig, naming file and line, for an unknown or missing key, a name that is no folder's or that
// stands there twice, and for a setting that changes nothing.
std::vector<TriedSetting> read_tried_settings(const std::filesystem::path& file);

}  // namespace trivium::research
