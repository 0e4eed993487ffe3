#include "research/studies/kept_settings.h"

#include <toml++/toml.h>

#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/base/toml_depth.h"

namespace trivium::research {
namespace {

using Values = std::map<std::string, std::string>;

// The settings' values, as they are written, by their section and key.
Values values_of(const std::string& text) {
  Values values;
  std::string section;
  for (const std::string& line : split(text, '\n')) {
    const size_t equals = line.find(" = ");
    if (line.starts_with('[')) {
      section = line;
    } else if (equals != std::string::npos) {
      values[section + line.substr(0, equals)] = line.substr(equals + 3);
    }
  }
  return values;
}

// Whether two texts are the same value of TOML: 0.1 may have been written with more digits.
bool is_same(const std::string& value, const std::string& other) {
  if (value == other) return true;
  const auto parsed = [](const std::string& text) {
    return parse_guarded_toml("value = " + text, "the kept settings");
  };
  try {
    return parsed(value) == parsed(other);
  } catch (const toml::parse_error&) {
    return false;
  }
}

// Whether all that `values` has is in `others` too, or is empty and not there.
bool agrees(const Values& values, const Values& others) {
  return std::all_of(values.begin(), values.end(), [&](const auto& item) {
    const auto& [key, value] = item;
    const auto other = others.find(key);
    if (other != others.end()) return is_same(value, other->second);
    return value == "''" || value == "\"\"" || value == "[]";
  });
}

}  // namespace

void keep_settings(const std::filesystem::path& file, const std::string& text) {
  if (!std::filesystem::exists(file)) {
    std::filesystem::create_directories(file.parent_path());
    write_file_atomically(file, text);
    return;
  }
  const Values kept = values_of(read_file(file)), present = values_of(text);
  if (!agrees(kept, present) || !agrees(present, kept)) {
    throw Error(ExitCode::kConfig,
                file.parent_path().string() + " has results of other settings (see its " +
                    file.filename().string() + "); remove it or choose another experiment.output");
  }
}

}  // namespace trivium::research
