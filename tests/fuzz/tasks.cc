#include "core/base/error.h"
#include "core/data/task_catalog.h"
#include "fuzz/fuzz.h"

namespace trivium::fuzz {

// A tasks.json.
void fuzz_tasks(std::string_view input) {
  may_refuse(input, [&] {
    const Json json = parse_json(input, "tasks.json", ExitCode::kBadModel);
    const TaskCatalog tasks = TaskCatalog::from_json(json, "tasks.json");
    check(TaskCatalog::from_json(tasks.to_json(), "tasks.json").to_json() == tasks.to_json(),
          "the tasks come back");
    for (const TaskEntry& entry : tasks.entries()) {
      entry.example_prompt();
      entry.prompt->options_of(entry.task, {entry.example, "example"});
    }
  });
}

}  // namespace trivium::fuzz
