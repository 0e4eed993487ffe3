// Ways to damage a checkpoint folder, and to make its manifest fit what was damaged.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/base/checksum.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium {

// Without the flush to the disk of write_file_atomically.
inline void put_bytes(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
}

// Gives the manifest's entry of a file what the file is now, so that what is wrong with it is found
// by whoever reads it, not by its checksum. Of a file of tensors whose header is malformed, the
// SHA-256 alone, as a manifest of before there were checksums has it.
inline void seal(const std::filesystem::path& folder, const std::string& name) {
  Json manifest = Json::parse(read_file(folder / "manifest.json"));
  Json entry = {{"size", std::filesystem::file_size(folder / name)},
                {"sha256", sha256_of_file(folder / name)}};
  if (!name.ends_with(".safetensors")) {
    entry["xxh3"] = checksum_text(checksum_of(read_file(folder / name)));
  } else {
    try {
      const SafetensorsChecksums sums = SafetensorsReader(folder / name).checksums();
      entry["header_xxh3"] = checksum_text(sums.header);
      entry["tensors_xxh3"] = Json::array();
      for (const uint64_t sum : sums.tensors) entry["tensors_xxh3"].push_back(checksum_text(sum));
    } catch (const Error&) {
    }
  }
  manifest["files"][name] = std::move(entry);
  put_bytes(folder / "manifest.json", manifest.dump(1));
}

// A file of tensors in its parts.
struct TensorBytes {
  std::string header, data;

  static TensorBytes of(const std::filesystem::path& file) {
    const std::string bytes = read_file(file);
    uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof length);
    return {bytes.substr(8, length), bytes.substr(8 + length)};
  }
  void write(const std::filesystem::path& file) const {
    const uint64_t length = header.size();
    std::string start(8, '\0');
    std::memcpy(start.data(), &length, sizeof length);
    put_bytes(file, start + header + data);
  }
};

// A checkpoint that tests damage, made once and put back after each.
class DamageTest : public ::testing::Test {
 protected:
  static constexpr const char* kWeights = "model.safetensors";

  explicit DamageTest(TinyModel kind = TinyModel::kOneHot) {
    save_checkpoint(tiny_checkpoint(kind), folder_);
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      files_[entry.path().filename()] = read_file(entry.path());
    }
  }

  // As the checkpoint was.
  void repair() {
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      if (!files_.contains(entry.path().filename()) || entry.is_directory()) {
        std::filesystem::remove_all(entry.path());
      }
    }
    for (const auto& [name, bytes] : files_) put_bytes(folder_ / name, bytes);
  }

  // What a program that answers says of the checkpoint, "code: message"; "" where it would answer.
  std::string refusal() const {
    return error_of([&] {
      const OpenCheckpoint open = open_checkpoint(folder_);
      const TensorReader read = open.reader(folder_.string());
      for (const std::string& name : open.files->names()) read(name);
    });
  }

  TemporaryFolder temporary_;
  std::filesystem::path folder_ = temporary_.path() / "model";
  std::map<std::string, std::string> files_;
};

}  // namespace trivium
