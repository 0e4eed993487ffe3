// The generation settings of a Hugging Face folder, by the rules of transformers 4.57.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/json.h"

namespace trivium {

// A key that would change answers, with the only value that trivium implements (or null).
struct FixedGenerationKey {
  const char* key;
  Json only;
  const char* remedy;  // what a user can do about another value
};
const std::vector<FixedGenerationKey>& fixed_generation_keys();

// `config` (of config.json) with the generation settings that count: those of
// generation_config.json alone where there is one (`generation`), and otherwise the old keys of
// config.json; with transformers' defaults for what neither has. What model_config_from_json does
// not know is left out of `generation`. `where` is the folder. Error kBadModel, which names the
// key.
Json with_generation_settings(Json config, const std::optional<Json>& generation,
                              const std::string& where);

// The generation settings of `config` (to_json's of a model), as a generation_config.json has them;
// they are no longer in `config` afterwards. with_generation_settings reads them back.
Json take_generation_settings(Json& config);

}  // namespace trivium
