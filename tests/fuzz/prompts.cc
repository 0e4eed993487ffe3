#include "core/data/prompt_filling.h"
#include "core/data/prompt_template.h"
#include "fuzz/fuzz.h"

namespace trivium::fuzz {

// A file of prompts/, bound to tasks with and without labels, and a text that a user types.
void fuzz_prompts(std::string_view input) {
  const auto parts = parts_of(input, 2);
  std::filesystem::create_directories(folder() / "prompts");
  put_file("prompts/task.toml", parts[0].empty() ? "\n" : parts[0]);
  for (const std::vector<std::string>& labels :
       {std::vector<std::string>{"0", "1"}, std::vector<std::string>{}}) {
    may_refuse(input, [&] {
      const PromptLibrary library(folder() / "prompts");
      Task task;
      task.name = "task";
      task.inputs = {"text", "choices"};
      task.target = "label";
      task.labels = labels;
      library.description_of("task");
      for (const auto& prompt : library.templates_of(task)) {
        fields_of_text(*prompt, std::string(parts[1]));
        const Json fields = {{"text", "a \x1e film"}, {"choices", {"0", "1"}}, {"label", "1"}};
        prompt->render(task, {fields, "record"});
      }
    });
  }
}

}  // namespace trivium::fuzz
