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

}  // namespace trivium::cli
