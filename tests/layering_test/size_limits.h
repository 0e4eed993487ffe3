// The limits on the length of files and functions.
#pragma once

#include <string>
#include <vector>

#include "layering_test/source_tree.h"

namespace trivium {

inline constexpr int kMaxFileLines = 500;
inline constexpr int kMaxFunctionLines = 60;
inline constexpr int kMaxCudaFunctionLines = 120;

// One line for every file, and every C++ function of src/, that is longer. Generated tables (*.inc)
// may be of any length, and so may a test's table of cases. Functions are told by the layout that
// clang-format gives them: those outside a class.
std::vector<std::string> size_violations(const std::vector<SourceFile>& files);

}  // namespace trivium
