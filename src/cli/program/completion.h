// Completion of commands and flags in bash, from their tables.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace trivium::cli {

// The script that completes `name`'s commands, their flags, and the values of flags that take one
// of a few; elsewhere names of files. trivium's hands over to trivium-train's where that lies
// beside it, since only that knows the flags of the commands that train; trivium-train's therefore
// completes both.
std::string bash_completion(const CLI::App& app, const std::string& name);

}  // namespace trivium::cli
