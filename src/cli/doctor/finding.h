// What an examination of the machine and the installation finds.
#pragma once

#include <functional>
#include <string>

#include "core/base/error.h"
#include "core/base/json.h"

namespace trivium::cli {

enum class Health {
  kOk,       // "ok"
  kWarning,  // "warning": it works, but not all of it, or not as well as it could
  kFailed,   // "failed": something that people need does not work
};
const char* name_of(Health health);

struct Finding {
  std::string topic = {};  // "processor"
  Health health = Health::kOk;
  std::string text = {};             // one line: what there is
  std::string advice = {};           // what to do; "" where there is nothing to do
  Json details = Json::object();     // the same for programs
  ExitCode failure = ExitCode::kOk;  // what a command that needs it would end with; of kFailed
};

// A finding that is not well.
inline Finding not_well(Finding finding, Health health, std::string advice,
                        ExitCode failure = ExitCode::kOk) {
  finding.health = health;
  finding.advice = std::move(advice);
  finding.failure = failure;
  return finding;
}

// {"topic", "health", "text", "advice"?, "details"?}
Json to_json(const Finding& finding);

}  // namespace trivium::cli
