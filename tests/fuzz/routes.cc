#include "core/base/error.h"
#include "core/config/model_config.h"
#include "core/routes/model_routes.h"
#include "core/routes/route_file.h"
#include "fuzz/fuzz.h"

namespace trivium::fuzz {

// A routes.json of a model of two layers a stack, and a routes.jsonl.
void fuzz_routes(std::string_view input) {
  const auto parts = parts_of(input, 2);
  may_refuse(input, [&] {
    ModelConfig config;
    config.encoder_layers = config.decoder_layers = 2;
    config.routing.num_experts = 3;
    config.routing.encoder_vanilla_layers = {0};
    const Json json = parse_json(parts[0], "routes.json", ExitCode::kBadModel);
    const ModelRoutes routes = model_routes_from_json(json, config, "routes.json");
    check(model_routes_from_json(to_json(routes), config, "routes.json") == routes,
          "the routes come back");
    const std::vector<std::string> names(routes.used.size(), "a");
    dump_routes(routes, config, names, names);
  });
  const auto path = put_file("routes.jsonl", parts[1].empty() ? "\n" : parts[1]);
  may_refuse(input, [&] {
    for (const RouteMoment& moment : read_route_file(path, 8)) {
      if (moment.routes.columns() > 0) moment.routes.column_name(moment.routes.columns() - 1);
      to_json(moment.routes);
    }
  });
}

}  // namespace trivium::fuzz
