// The settings of the search for an answer, as a user names them.
#pragma once

#include <string>
#include <vector>

#include "cli/terminal/terminal_text.h"
#include "core/base/json.h"
#include "core/config/model_config.h"
#include "core/generation/search.h"

namespace trivium::cli {

std::vector<std::string> setting_names();

// Changes one setting: "num_beams=4". Sampling and beams exclude each other, so that setting one
// switches the other off. Error kUsage names the keys, or the range.
void change_search(SearchOptions& search, const std::string& assignment);

// Error kUsage for answers that are longer than the model can write.
void check_length(const SearchOptions& search, const ModelConfig& config);

// "num_beams=4  …", one setting a line with its meaning.
std::string search_text(SearchOptions search, const TerminalStyle& style);

// {"num_beams": 4, …}: every setting.
Json search_to_json(SearchOptions search);
// `search` with the settings of `json`. Error kBadData, beginning with `where`, for anything but
// settings within their ranges.
SearchOptions search_from_json(SearchOptions search, const Json& json, const std::string& where);

}  // namespace trivium::cli
