// The direction of dependencies between the rooms, that is, the folders of src/core, src/cli,
// src/learning and src/research.
#pragma once

#include <string>
#include <vector>

#include "layering_test/source_tree.h"

namespace trivium {

// One line for every place where the files of src/ break the table in rooms.cc:
// - a file includes from a room that its own may not know;
// - a file includes LibTorch outside learning and research, or CUDA's headers outside the two
//   folders cuda/ of the core;
// - a file includes one of the project's headers otherwise than as "area/room/file.h";
// - a room's CMakeLists.txt links a room that it may not know, or LibTorch where it may not;
// - a room includes from a room that its CMakeLists.txt does not link;
// - a header holds #if, #ifdef or #ifndef: what it declares would depend on the build.
std::vector<std::string> layering_violations(const std::vector<SourceFile>& files);

}  // namespace trivium
