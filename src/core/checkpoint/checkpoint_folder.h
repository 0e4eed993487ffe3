// The checkpoint folder as files: its manifest, and its replacement in one step. Knows nothing of
// models.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/checkpoint/safetensors.h"

namespace trivium {

inline constexpr const char* kManifestFile = "manifest.json";

enum class Verify {
  // Every file of the manifest is there and has its size and its checksum; of a file of tensors the
  // header alone has been read, and each tensor is checked when it is. A manifest of before there
  // were checksums: the SHA-256 of all.
  kChecksums,
  kHashes,  // the SHA-256 of every file as well
};

// By the file's name; a file that is not there has none.
using ChecksumsByFile = std::map<std::string, SafetensorsChecksums>;

struct CheckpointManifest {
  std::string text;
  ChecksumsByFile tensors;  // of the files of tensors
  std::string weights_id;   // of their bytes: another where any weight is another
};

// Lets `write` fill a new folder beside `folder`, adds the manifest, flushes all to the disk, and
// puts it in the place of `folder`. Whatever happens, `folder` is the old checkpoint or the new
// one, whole. Files that the old manifest does not name are copied to the new folder. Error kExists
// when `folder` is there and neither empty nor a checkpoint; kIo.
void replace_checkpoint_folder(const std::filesystem::path& folder,
                               const std::function<void(const std::filesystem::path&)>& write);

// The names of the files that the manifest lists. Error kMissingInput, kBadModel.
std::vector<std::string> checkpoint_files(const std::filesystem::path& folder);

// Checks the files that the manifest names and returns it. Error kMissingInput when `folder` is no
// checkpoint, kBadModel when a file is missing or differs.
CheckpointManifest verify_checkpoint_folder(const std::filesystem::path& folder, Verify verify);

// Reads and checks every byte of the folder: SHA-256, and the tensors' checksums. Returns how many
// files there are. Errors as above.
size_t verify_every_byte(const std::filesystem::path& folder);

}  // namespace trivium
