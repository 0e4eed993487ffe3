// The safetensors format: 8 bytes little-endian header length, a JSON header, the tensors' bytes.
// Goals: every malformed file is refused with a message that names file and tensor, memory is
// bounded by a small multiple of the file, and the same tensors always give the same bytes.
// Non-goals: other dtypes than those below, big-endian machines, memory mapping (a file replaced
// under a mapping is a SIGBUS; here it is a short read, and an Error).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace trivium {

// In the order in which the reference implementation lays tensors out.
enum class Dtype { kBool, kU8, kI8, kI16, kF16, kBf16, kI32, kF32, kF64, kI64 };

size_t size_of(Dtype dtype);       // bytes of one element
const char* name_of(Dtype dtype);  // "BOOL", "U8", …

struct TensorEntry {
  std::string name;
  Dtype dtype = Dtype::kF32;
  std::vector<int64_t> shape;  // empty: a scalar
  uint64_t begin = 0;          // offsets in the data part of the file
  uint64_t end = 0;

  uint64_t size() const { return end - begin; }  // bytes
};

// What a manifest says of a file's bytes (checksum_of).
struct SafetensorsChecksums {
  uint64_t header = 0;            // of everything before the first tensor
  std::vector<uint64_t> tensors;  // in the order of their bytes in the file

  bool operator==(const SafetensorsChecksums&) const = default;
};

// An open file whose header has been checked. Not copyable; reading is const and thread-safe.
class SafetensorsReader {
 public:
  // Error kMissingInput when the file does not exist, kBadModel when it is malformed. With
  // `expected`, also where the header is another; a tensor is then checked whenever it is read.
  explicit SafetensorsReader(const std::filesystem::path& file,
                             std::optional<SafetensorsChecksums> expected = std::nullopt);
  ~SafetensorsReader();
  SafetensorsReader(const SafetensorsReader&) = delete;
  SafetensorsReader& operator=(const SafetensorsReader&) = delete;

  // Every tensor, in the order of its bytes in the file.
  const std::vector<TensorEntry>& entries() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::filesystem::path& file() const { return file_; }
  // Reads all tensors, one after the other.
  SafetensorsChecksums checksums() const;

  // Reads the bytes of one of entries(); `bytes` has entry.size() of them. Error kBadModel when the
  // file has shrunk since it was opened, or where they are not those of the checksum.
  void read(const TensorEntry& entry, std::span<std::byte> bytes) const;

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
  uint64_t data_start_ = 0;
  uint64_t header_checksum_ = 0;
  std::optional<SafetensorsChecksums> expected_;
  std::vector<TensorEntry> entries_;
  std::map<std::string, std::string> metadata_;
};

struct TensorToWrite {
  std::string name;  // valid UTF-8, unique in the file
  Dtype dtype = Dtype::kF32;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;  // row-major, little-endian
};

// Writes the file atomically (temporary file, fsync, rename), byte for byte as the reference
// implementation does: tensors by dtype, then by name. Error kIo.
void write_safetensors(const std::filesystem::path& file, std::vector<TensorToWrite> tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace trivium
