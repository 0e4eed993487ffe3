// The settings that kept results were made with.
#pragma once

#include <filesystem>
#include <string>

namespace trivium::research {

// Writes `text` to `file`, beside the results that are to come, or compares it with what stands
// there: results that are kept must not pass for those of settings that were changed since. Error
// kConfig where the two differ.
void keep_settings(const std::filesystem::path& file, const std::string& text);

}  // namespace trivium::research
