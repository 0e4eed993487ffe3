// The settings that kept results were made with.
#pragma once

#include <filesystem>
#include <string>

namespace trivium::research {

// Writes `text`, as settings_to_toml makes it, to `file`, beside the results that are to come, or
// compares it with what stands there: results that are kept must not pass for those of settings
// that were changed since. A setting that only one of the two has must be empty there ("" or []),
// as settings are that say nothing of the results: such settings come and go with the program's
// versions. Error kConfig where the two differ.
void keep_settings(const std::filesystem::path& file, const std::string& text);

}  // namespace trivium::research
