#include "core/data/task_finder.h"

#include "fuzz/fuzz.h"

namespace trivium::fuzz {

// A task_finder.json and a text.
void fuzz_task_finder(std::string_view input) {
  const auto parts = parts_of(input, 2);
  may_refuse(input, [&] {
    const Json json = parse_json(parts[0], "task_finder.json", ExitCode::kBadModel);
    const TaskFinder finder = TaskFinder::from_json(json, "task_finder.json");
    check(TaskFinder::from_json(finder.to_json(), "task_finder.json").to_json() == finder.to_json(),
          "the finder comes back");
    for (const std::string_view text : {parts[1], std::string_view("a witty film")}) {
      describe_guesses(finder.find(text));
    }
  });
}

}  // namespace trivium::fuzz
