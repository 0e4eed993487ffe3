// A guard in front of toml++, which trusts one part of a document.
#pragma once

#include <toml++/toml.h>

#include <string>
#include <string_view>

namespace trivium {

// toml++ (3.3) bounds how deep values are nested, but not of how many parts a dotted key is: it
// makes a table in a table for each, and walks and frees them by recursion, so that a key of 100000
// parts ends the program. Error kConfig, which names `where` and the line, for more than 32 parts.
void refuse_deep_toml(std::string_view text, const std::string& where);

// toml::parse behind that guard. Throws toml::parse_error too.
toml::table parse_guarded_toml(std::string_view text, const std::string& where);

}  // namespace trivium
