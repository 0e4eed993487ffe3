// What the files of weights in a checkpoint folder are called.
#pragma once

namespace trivium {

inline constexpr const char* kWeightsFile = "model.safetensors";
inline constexpr const char* kIndexFile = "model.safetensors.index.json";
// "X.row_scale" holds the scales of the int8 matrix "X".
inline constexpr const char* kScaleSuffix = ".row_scale";

}  // namespace trivium
