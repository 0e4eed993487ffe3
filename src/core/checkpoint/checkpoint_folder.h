// The checkpoint folder as files: its manifest, and its replacement in one step. Knows nothing of
// models.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace trivium {

inline constexpr const char* kManifestFile = "manifest.json";

enum class Verify {
  kSizes,   // every file of the manifest is there and has its size
  kHashes,  // and its SHA-256
};

// Lets `write` fill a new folder beside `folder`, adds the manifest, flushes all to the disk, and
// puts it in the place of `folder`. Whatever happens, `folder` is the old checkpoint or the new
// one, whole. Files that the old manifest does not name are copied to the new folder. Error kExists
// when `folder` is there and neither empty nor a checkpoint; kIo.
void replace_checkpoint_folder(const std::filesystem::path& folder,
                               const std::function<void(const std::filesystem::path&)>& write);

// The names of the files that the manifest lists. Error kMissingInput, kBadModel.
std::vector<std::string> checkpoint_files(const std::filesystem::path& folder);

// Checks the files that the manifest names and returns the manifest's text. Error kMissingInput
// when `folder` is no checkpoint, kBadModel when a file is missing or differs.
std::string verify_checkpoint_folder(const std::filesystem::path& folder, Verify verify);

}  // namespace trivium
