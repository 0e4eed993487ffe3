// All that `trivium doctor` looks at.
#pragma once

#include <string>

#include "cli/doctor/finding.h"

namespace trivium::cli {

// Examines machine, installation and checkpoint ("" is the shipped one) and gives `report` each
// finding as soon as it is there.
void examine_all(const std::string& checkpoint, int threads,
                 const std::function<void(const Finding&)>& report);

}  // namespace trivium::cli
