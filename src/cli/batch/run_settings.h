// What the results of a run follow from, so that only the same run is gone on with.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>

#include "core/base/json.h"

namespace trivium::cli {

// The command, the checkpoint's content, and every flag that the command was given but those that
// leave the results as they are. Errors as sha256_of_file.
Json run_settings(const CLI::App& command, const std::filesystem::path& checkpoint);

}  // namespace trivium::cli
