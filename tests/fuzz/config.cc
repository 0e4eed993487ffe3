#include "core/base/error.h"
#include "core/config/generation_settings.h"
#include "core/config/model_config.h"
#include "fuzz/fuzz.h"

namespace trivium::fuzz {

// A config.json, and a generation_config.json beside it.
void fuzz_config(std::string_view input) {
  const auto parts = parts_of(input, 2);
  may_refuse(input, [&] {
    const Json json = parse_json(parts[0], "config.json", ExitCode::kBadModel);
    const ModelConfig config = model_config_from_json(json, "config.json");
    parameter_count(config);
    check(model_config_from_json(to_json(config), "config.json") == config, "it comes back");
  });
  may_refuse(input, [&] {
    const Json json = parse_json(parts[0], "config.json", ExitCode::kBadModel);
    std::optional<Json> generation;
    if (!parts[1].empty()) {
      generation = parse_json(parts[1], "generation_config.json", ExitCode::kBadModel);
    }
    Json together = with_generation_settings(json, generation, "folder");
    Json own = to_json(model_config_from_json(together, "config.json"));
    take_generation_settings(own);
  });
}

}  // namespace trivium::fuzz
