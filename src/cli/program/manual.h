// The man page, from the tables of commands and flags.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace trivium::cli {

// `app` with all its commands as a man page of section 1 (roff) for the program `name`. Hidden
// commands are left out.
std::string man_page(const CLI::App& app, const std::string& name, const std::string& version);

// The commands of `app` that its help shows, in order.
std::vector<const CLI::App*> shown_commands(const CLI::App& app);
// The flags and arguments that the help of `command` shows, in order, without the --help of one
// that is within another: all have it.
std::vector<const CLI::Option*> shown_options(const CLI::App& command);
// What the help of `command`, which is within another, ends with; "" where that is the other's.
std::string own_footer(const CLI::App& command);

}  // namespace trivium::cli
