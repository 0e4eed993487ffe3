#include <atomic>

#include "cli/batch/request.h"
#include "cli/serve/asked_route.h"
#include "cli/serve/completion_request.h"
#include "cli/serve/request_keys.h"
#include "fuzz/fuzz.h"

namespace trivium::fuzz {
namespace {

// An ApiError is how a request is refused.
template <typename Parse>
void may_refuse_request(std::string_view input, Parse parse) {
  may_refuse(input, [&] {
    try {
      parse();
    } catch (const cli::ApiError& error) {
      to_json_line(error.body());
    }
  });
}

}  // namespace

// The body of an HTTP request, and lines of generate and score.
void fuzz_requests(std::string_view input) {
  const std::string body(input);
  may_refuse_request(input, [&] {
    const cli::CompletionLimits limits{.positions = 200};
    const cli::CompletionRequest request = cli::parse_completion_request(body, {}, limits);
    for (const Json& prompt : request.prompts) cli::is_blank(prompt);
    cli::find_stop("a text", request.stops);
    const TaskRoute route{{{0.5f, 0.5f}, {1}}, {{1, 0}}};
    if (!request.route.is_null()) {
      cli::changed_route({}, route, route, cli::route_changes(route, request.route));
    }
  });
  may_refuse_request(input, [&] {  // of /v1/score, /v1/route and /v1/embeddings
    cli::RequestKeys reader(body);
    reader.get<std::vector<std::string>>("options");
    reader.get<std::string>("task");
    reader.get_input("input");
    reader.refuse_others();
  });
  const std::atomic<bool> stop = false;
  for (const auto format : {cli::InputFormat::kJsonl, cli::InputFormat::kTsv}) {
    const auto path = put_file("lines", input.empty() ? "\n" : input);
    may_refuse(input, [&] {
      cli::RequestReader reader(path.string(), format, stop);
      while (!reader.next_window().empty()) {
      }
    });
  }
}

}  // namespace trivium::fuzz
