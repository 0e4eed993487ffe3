// A flag whose values are the names of an enum's.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

namespace trivium::cli {

// The values of an enum by their names on the command line.
template <typename Enum>
using ChoiceNames = std::vector<std::pair<std::string, Enum>>;

// Adds an option that takes one of `names` and sets `value`, whose present name is the default that
// the help shows.
template <typename Enum>
CLI::Option* add_choice(CLI::App& command, const std::string& flag, Enum& value,
                        const ChoiceNames<Enum>& names, const std::string& help) {
  std::vector<std::string> allowed;
  std::string present;
  for (const auto& [name, of_name] : names) {
    allowed.push_back(name);
    if (of_name == value) present = name;
  }
  CLI::Option* option = command.add_option_function<std::string>(
      flag,
      [&value, names](const std::string& given) {
        for (const auto& [name, of_name] : names) {
          if (name == given) value = of_name;
        }
      },
      help);
  return option->check(CLI::IsMember(allowed))->default_str(present);
}

}  // namespace trivium::cli
