// A self-contained HTML page: one file that needs nothing else, not even a network.
#pragma once

#include <string>
#include <string_view>

#include "core/base/json.h"

namespace trivium {

// `text`, a template in Mustache that is an asset of the program, with `values`: an object of
// strings, numbers, flags, and lists of such objects. {{name}} is escaped, {{{name}}} is not. A
// name that `values` lacks is a bug.
std::string fill_template(std::string_view text, const Json& values);

struct PageParts {
  std::string title, summary;  // any text
  std::string_view style, script;
  std::string body;  // markup
  Json data;         // for the script, in the element "data"
};
std::string whole_page(const PageParts& parts);

}  // namespace trivium
