#include "core/data/gym.h"
#include "core/data/jsonl_records.h"
#include "fuzz/fuzz.h"

namespace trivium::fuzz {

// Lines of JSON as a gym's records, and as P3's; then a task.json and a split.json of a gym whose
// task has them.
void fuzz_jsonl(std::string_view input) {
  const auto parts = parts_of(input, 3);
  const auto lines = put_file("lines.jsonl", parts[0]);
  may_refuse(input, [&] { read_jsonl_records(lines, {"text", "label"}, 0); });
  may_refuse(input, [&] { load_p3_task(lines, "task"); });
  std::filesystem::create_directories(folder() / "gym" / "sst2");
  put_file("gym/sst2/task.json", parts[1]);
  put_file("gym/split.json", parts[2]);
  for (const char* split : {"train", "dev", "test"}) {
    put_file(std::string("gym/sst2/") + split + ".jsonl", parts[0]);
  }
  may_refuse(input, [&] {
    const Gym gym(folder() / "gym");
    for (const std::string& name : gym.chosen_tasks("seen", {})) gym.load_task(name);
  });
}

}  // namespace trivium::fuzz
