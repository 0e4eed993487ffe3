#include "research/studies/tried_setting.h"

#include <sstream>

#include "core/base/error.h"

namespace trivium::research {

TriedSetting parse_tried_setting(const std::string& text) {
  TriedSetting setting;
  std::istringstream words(text);
  std::string word;
  words >> setting.name >> setting.method;
  while (words >> word) setting.overrides.push_back(word);
  const bool is_named = setting.name.size() > 1 && setting.name.ends_with(':') &&
                        setting.name.find('/') == std::string::npos;
  if (!is_named || setting.overrides.empty()) {
    throw Error(ExitCode::kConfig,
                "experiment.tried: \"" + text + "\" is not \"NAME: METHOD KEY=VALUE...\"");
  }
  setting.name.pop_back();
  return setting;
}

}  // namespace trivium::research
