// Another setting of a method, tried beside it.
#pragma once

#include <string>
#include <vector>

namespace trivium::research {

struct TriedSetting {
  std::string name;    // of its row and its folder
  std::string method;  // whose settings it changes
  std::vector<std::string> overrides;
};

// From "NAME: METHOD KEY=VALUE...", separated by blanks. Error kConfig, with the text, for anything
// else.
TriedSetting parse_tried_setting(const std::string& text);

}  // namespace trivium::research
