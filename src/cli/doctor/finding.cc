#include "cli/doctor/finding.h"

namespace trivium::cli {

const char* name_of(Health health) {
  switch (health) {
    case Health::kOk:
      return "ok";
    case Health::kWarning:
      return "warning";
    case Health::kFailed:
      break;
  }
  return "failed";
}

Json to_json(const Finding& finding) {
  Json json = {
      {"topic", finding.topic}, {"health", name_of(finding.health)}, {"text", finding.text}};
  if (!finding.advice.empty()) json["advice"] = finding.advice;
  if (!finding.details.empty()) json["details"] = finding.details;
  return json;
}

}  // namespace trivium::cli
