// What Tab offers for a line that is being typed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/terminal/line_editor.h"

namespace trivium::cli {

// Commands, and their arguments: the names of `tasks`, settings, files.
Completion complete_repl_line(std::string_view line_to_cursor,
                              const std::vector<std::string>& tasks);

}  // namespace trivium::cli
