#include "core/data/gym.h"
#include "core/data/table_file.h"
#include "fuzz/fuzz.h"

namespace trivium::fuzz {

// A table as CSV, as TSV, as lines of JSON, and as CrossFit's files without a header.
void fuzz_table(std::string_view input) {
  for (const char* name : {"table.csv", "table.tsv", "table.jsonl"}) {
    const auto path = put_file(name, input.empty() ? " " : input);
    may_refuse(input, [&] { table_task_text(load_example_file(path, "task")); });
  }
  std::filesystem::create_directories(folder() / "crossfit");
  for (const char* split : {"train", "dev", "test"}) {
    put_file(std::string("crossfit/task_16_100_") + split + ".tsv", input.empty() ? " " : input);
  }
  may_refuse(input, [&] { load_crossfit_task(folder() / "crossfit", "task"); });
}

}  // namespace trivium::fuzz
