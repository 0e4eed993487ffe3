// --json of the commands that report something: one line of JSON on standard output. program.cc
// makes an error of such a command JSON too.
#pragma once

#include <CLI/CLI.hpp>

namespace trivium::cli {

inline constexpr const char* kJsonFlag = "--json";

inline CLI::Option* add_json_flag(CLI::App& command, bool& json,
                                  const char* help = "one JSON object; an error is one too") {
  return command.add_flag(kJsonFlag, json, help);
}

}  // namespace trivium::cli
