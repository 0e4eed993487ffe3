// The rooms of src/: which may know which.
#pragma once

#include <string>
#include <vector>

namespace trivium {

// "core/base": the folder base of the area core; or one of the main files.
struct Room {
  std::string name;
  std::vector<std::string> may_include;  // besides itself
};

// The whole rule, lowest room first: a room may know only rooms that stand before it.
// docs/architecture.md says why each room is where it is.
const std::vector<Room>& rooms();

}  // namespace trivium
