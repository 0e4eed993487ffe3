#include "core/checkpoint/safetensors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <tuple>
#include <utility>

#include "core/base/checksum.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/checkpoint/safetensors_header.h"

namespace trivium {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors data are little-endian");

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit

// Reads exactly size bytes at offset; false at the end of the file.
bool read_at(int descriptor, uint64_t offset, void* bytes, uint64_t size,
             const std::filesystem::path& file) {
  auto* out = static_cast<char*>(bytes);
  while (size > 0) {
    const ssize_t count = ::pread(descriptor, out, size, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      throw Error(ExitCode::kIo, "cannot read " + file.string() + ": " + std::strerror(errno));
    }
    if (count == 0) return false;
    out += count;
    offset += static_cast<uint64_t>(count);
    size -= static_cast<uint64_t>(count);
  }
  return true;
}

// Opens a regular file; O_NONBLOCK so that a named pipe is refused and not waited for.
int open_regular_file(const std::filesystem::path& file, uint64_t& size) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    throw Error(errno == ENOENT ? ExitCode::kMissingInput : ExitCode::kIo,
                "cannot read " + file.string() + ": " + std::strerror(errno));
  }
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    throw Error(ExitCode::kBadModel, file.string() + ": is not a regular file");
  }
  size = static_cast<uint64_t>(status.st_size);
  return descriptor;
}

// What is before the tensors: the length of the header, and the header.
std::string read_start(int descriptor, uint64_t file_size, const std::filesystem::path& file) {
  const auto fail = [&](const std::string& problem) {
    throw Error(ExitCode::kBadModel, file.string() + ": " + problem);
  };
  uint64_t length = 0;
  if (file_size < kLengthBytes || !read_at(descriptor, 0, &length, kLengthBytes, file)) {
    fail("is too short for a safetensors file; copy or download it again");
  }
  if (length > kMaxHeaderBytes) fail("its header is longer than 100 MB: not a safetensors file");
  if (length > file_size - kLengthBytes) fail("is cut off inside its header; copy it again");
  std::string start(kLengthBytes + length, '\0');
  if (!read_at(descriptor, 0, start.data(), start.size(), file)) fail("shrank while being read");
  return start;
}

[[noreturn]] void throw_damaged(const std::filesystem::path& file, const std::string& what) {
  throw Error(ExitCode::kBadModel, file.string() + ": " + what +
                                       " is damaged: its checksum is not the manifest's; copy the "
                                       "checkpoint again");
}

}  // namespace

SafetensorsReader::SafetensorsReader(const std::filesystem::path& file,
                                     std::optional<SafetensorsChecksums> expected)
    : file_(file), expected_(std::move(expected)) {
  uint64_t file_size = 0;
  descriptor_ = open_regular_file(file, file_size);
  try {
    const std::string start = read_start(descriptor_, file_size, file);
    data_start_ = start.size();
    header_checksum_ = checksum_of(start);
    if (expected_ && expected_->header != header_checksum_) throw_damaged(file, "the header");
    SafetensorsHeader header = parse_safetensors_header(
        std::string_view(start).substr(kLengthBytes), file_size - data_start_, file.string());
    entries_ = std::move(header.entries);
    metadata_ = std::move(header.metadata);
    if (expected_ && expected_->tensors.size() != entries_.size()) {
      throw Error(ExitCode::kBadModel, file.string() + ": the manifest has checksums of " +
                                           std::to_string(expected_->tensors.size()) +
                                           " tensors, and the file holds " +
                                           std::to_string(entries_.size()));
    }
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

SafetensorsReader::~SafetensorsReader() { ::close(descriptor_); }

void SafetensorsReader::read(const TensorEntry& entry, std::span<std::byte> bytes) const {
  check(bytes.size() == entry.size(), "SafetensorsReader::read: the buffer has the wrong size");
  if (!read_at(descriptor_, data_start_ + entry.begin, bytes.data(), bytes.size(), file_)) {
    throw Error(ExitCode::kBadModel, file_.string() + ": the file shrank while tensor " +
                                         quoted_name(entry.name) + " was read");
  }
  if (!expected_) return;
  const auto place = static_cast<size_t>(&entry - entries_.data());
  if (checksum_of(bytes) != expected_->tensors.at(place)) {
    throw_damaged(file_, "tensor " + quoted_name(entry.name));
  }
}

SafetensorsChecksums SafetensorsReader::checksums() const {
  SafetensorsChecksums checksums{header_checksum_, {}};
  for (const TensorEntry& entry : entries_) {
    std::vector<std::byte> bytes(entry.size());
    read(entry, bytes);
    checksums.tensors.push_back(checksum_of(bytes));
  }
  return checksums;
}

void write_safetensors(const std::filesystem::path& file, std::vector<TensorToWrite> tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorToWrite& a, const TensorToWrite& b) {
    // Wide elements first, so that every tensor is aligned to its element.
    return std::tie(b.dtype, a.name) < std::tie(a.dtype, b.name);
  });
  SafetensorsHeader header{.entries = {}, .metadata = metadata};
  uint64_t position = 0;
  std::vector<std::string_view> pieces(2);
  for (const TensorToWrite& tensor : tensors) {
    const uint64_t end = position + tensor.bytes.size();
    header.entries.push_back({tensor.name, tensor.dtype, tensor.shape, position, end});
    pieces.emplace_back(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
    position = end;
  }
  const std::string text = format_safetensors_header(header);
  const uint64_t length = text.size();
  pieces[0] = {reinterpret_cast<const char*>(&length), kLengthBytes};
  pieces[1] = text;
  // A writer that can break its own reader's rules is a bug, and found here before the old file is
  // gone.
  parse_safetensors_header(text, position, file.string());
  write_file_atomically(file, pieces);
}

}  // namespace trivium
