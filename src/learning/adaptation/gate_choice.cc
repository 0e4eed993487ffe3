#include "learning/adaptation/gate_choice.h"

#include "core/base/enum_names.h"

namespace trivium::learning {
namespace {

const EnumNames<GateStart> kGateStartNames = {
    {"own", GateStart::kOwn}, {"random", GateStart::kNew}, {"nearest", GateStart::kNearest}};

}  // namespace

GateChoice gate_choice(const std::string& name) {
  for (const auto& [known, start] : kGateStartNames) {
    if (known == name) return {start, ""};
  }
  return {GateStart::kTask, name};
}

std::string name_of(const GateChoice& choice) {
  return choice.start == GateStart::kTask ? choice.task : name_in(kGateStartNames, choice.start);
}

}  // namespace trivium::learning
