// Completion of commands and flags in shells, from their tables.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "core/base/enum_names.h"

namespace trivium::cli {

enum class Shell { kBash, kZsh, kFish };

inline const EnumNames<Shell> kShellNames = {
    {"bash", Shell::kBash}, {"zsh", Shell::kZsh}, {"fish", Shell::kFish}};

// The script that completes `name`'s commands, their flags, and the values of flags that take one
// of a few; elsewhere names of files. It belongs where the shell looks for `name`: in bash's
// completions/NAME, zsh's site-functions/_NAME, fish's vendor_completions.d/NAME.fish. trivium's
// hands over to trivium-train's where that lies beside it, since only that knows the flags of the
// commands that train; trivium-train's therefore completes both.
std::string completion_script(const CLI::App& app, const std::string& name, Shell shell);

}  // namespace trivium::cli
