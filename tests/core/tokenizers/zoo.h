// The folders of tests/golden/zoo, and what PyPI transformers makes of them: see tools/parity_zoo.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/temporary_folder.h"

namespace trivium {

class Zoo {
 public:
  Zoo()
      : folder_(std::filesystem::path(TRIVIUM_TEST_DATA) / "zoo"),
        content_(read_json_file(folder_ / "cases.json")) {}

  const Json& cases() const { return content_.at("cases"); }
  std::vector<std::string> texts() const { return content_.at("texts"); }
  std::vector<std::string> prompts() const { return content_.at("prompts"); }
  std::vector<std::string> options() const { return content_.at("options"); }
  std::filesystem::path weights() const { return folder_ / "weights.safetensors"; }

  // Writes a case's files but for its weights.
  void write(const Json& zoo_case, const TemporaryFolder& folder) const {
    for (const auto& [name, text] : zoo_case.at("files").items()) {
      const auto own = text.get<std::string>();
      folder.write(name,
                   own.starts_with('@')
                       ? content_.at("shared").at(std::stoul(own.substr(1))).get<std::string>()
                       : own);
    }
  }

 private:
  std::filesystem::path folder_;
  Json content_;
};

}  // namespace trivium
