// Every command and flag as a page of Markdown, from the tables of commands and flags.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace trivium::cli {

// A section for each command of `app` that its help shows, inner ones behind their outer one: what
// it does, a table of its flags, and what its help ends with. Flags of every command come first.
std::string markdown_reference(const CLI::App& app);

}  // namespace trivium::cli
