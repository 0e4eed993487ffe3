// The names of an enum's values in files and on the command line, in one table per enum.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace trivium {

template <typename Enum>
using EnumNames = std::vector<std::pair<std::string, Enum>>;

template <typename Enum>
std::vector<std::string> names_of(const EnumNames<Enum>& table) {
  std::vector<std::string> names;
  for (const auto& [name, value] : table) names.push_back(name);
  return names;
}

// A value that the table lacks is a bug.
template <typename Enum>
const std::string& name_in(const EnumNames<Enum>& table, Enum value) {
  for (const auto& [name, of_name] : table) {
    if (of_name == value) return name;
  }
  throw std::logic_error("an enum's value has no name");
}

// A name that the table lacks is a bug: what people give is checked against names_of before.
template <typename Enum>
Enum value_in(const EnumNames<Enum>& table, const std::string& name) {
  for (const auto& [known, value] : table) {
    if (known == name) return value;
  }
  throw std::logic_error("\"" + name + "\" is not among an enum's names");
}

}  // namespace trivium
