// How the weights of a folder lie on the disk, so that what is made of it can lie the same way.
#pragma once

#include <filesystem>

#include "core/checkpoint/tensor_files.h"

namespace trivium {

// kInt8 where a matrix of the folder has scales of its rows, else kBFloat16 where a tensor is
// bfloat16, else kFloat32. Weights that were read from int8 and are saved as int8 again have the
// same bytes. Errors as TensorFiles.
StorageKind stored_kind(const std::filesystem::path& folder);

}  // namespace trivium
