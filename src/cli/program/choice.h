// A flag whose values are the names of an enum's.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "core/base/enum_names.h"

namespace trivium::cli {

// Adds an option that takes one of `names` and sets `value`, whose present name is the default that
// the help shows.
template <typename Enum>
CLI::Option* add_choice(CLI::App& command, const std::string& flag, Enum& value,
                        const EnumNames<Enum>& names, const std::string& help) {
  CLI::Option* option = command.add_option_function<std::string>(
      flag, [&value, names](const std::string& given) { value = value_in(names, given); }, help);
  return option->check(CLI::IsMember(names_of(names)))->default_str(name_in(names, value));
}

// The same of a value that is not set where the flag is not given; the help text says what then.
template <typename Enum>
CLI::Option* add_choice(CLI::App& command, const std::string& flag, std::optional<Enum>& value,
                        const EnumNames<Enum>& names, const std::string& help) {
  CLI::Option* option = command.add_option_function<std::string>(
      flag, [&value, names](const std::string& given) { value = value_in(names, given); }, help);
  return option->check(CLI::IsMember(names_of(names)));
}

}  // namespace trivium::cli
