// A gym of two tasks and its prompts in a temporary folder.
#pragma once

#include <string>

#include "core/base/temporary_folder.h"

namespace trivium::learning {

// Writes gym/ and prompts/ with the tasks "first" and "second", two records a split.
inline void write_toy_gym(TemporaryFolder& folder) {
  for (const std::string task : {"first", "second"}) {
    folder.write("gym/" + task + "/task.json", "{\"name\": \"" + task + R"(", "metric": "accuracy",
      "fields": ["text", "label"], "inputs": ["text"], "target": "label"})");
    for (const char* split : {"train", "dev", "test"}) {
      folder.write("gym/" + task + "/" + split + ".jsonl",
                   "{\"text\": \"a b c\", \"label\": \"x\"}\n"
                   "{\"text\": \"d e f g h i j k l m n o\", \"label\": \"y\"}\n");
    }
    folder.write("prompts/" + task + ".toml",
                 "description = \"x\"\n[example]\ntext = \"y\"\n"
                 "[[template]]\nname = \"one\"\ninput = \"q {{text}}\"\n"
                 "[[template]]\nname = \"two\"\ninput = \"{{text}} z\"\n");
  }
  folder.write("gym/split.json", R"({"seen": ["first", "second"]})");
}

}  // namespace trivium::learning
