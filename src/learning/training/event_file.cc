#include "learning/training/event_file.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <boost/crc.hpp>
#include <chrono>
#include <cmath>
#include <cstring>
#include <fstream>

#include "core/base/error.h"
#include "core/base/file.h"

namespace trivium::learning {
namespace {

namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little, "records are written as they lie");

constexpr const char* kPrefix = "events.out.tfevents.";
constexpr uint32_t kMaskDelta = 0xa282ead8;
constexpr size_t kLengthBytes = 8, kCrcBytes = 4;

// Wire types of protocol buffers, and the fields of event.proto and summary.proto.
constexpr uint32_t kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5;
constexpr uint32_t kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5;  // of Event
constexpr uint32_t kValue = 1;                                                // of Summary
constexpr uint32_t kTag = 1, kSimpleValue = 2;                                // of Summary.Value

template <typename T>
std::string bytes_of(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

template <typename T>
T value_at(std::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

std::string key(uint32_t field, uint32_t wire_type) { return varint(field << 3 | wire_type); }

std::string delimited(uint32_t field, std::string_view bytes) {
  return key(field, kLengthDelimited) + varint(bytes.size()) + std::string(bytes);
}

// The number that begins at `at`, which is moved behind it; nothing where it is cut.
std::optional<uint64_t> read_varint(std::string_view bytes, size_t& at) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64 && at < bytes.size(); shift += 7) {
    const auto byte = static_cast<uint8_t>(bytes[at++]);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Every file of events begins with it.
std::string version_event() {
  return key(kWallTime, kFixed64) + bytes_of(now()) + delimited(kFileVersion, "brain.Event:2");
}

std::string new_name() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = 0;
  return kPrefix + std::to_string(static_cast<int64_t>(now())) + "." +
         (host[0] == 0 ? "host" : host.data());
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  boost::crc_optimal<32, 0x1edc6f41, 0xffffffff, 0xffffffff, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

uint32_t masked_crc32c(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + kMaskDelta; }

std::string tf_record(std::string_view data) {
  const std::string length = bytes_of(static_cast<uint64_t>(data.size()));
  return length + bytes_of(masked_crc32c(length)) + std::string(data) +
         bytes_of(masked_crc32c(data));
}

std::optional<std::string_view> read_tf_record(std::string_view bytes, size_t& at) {
  constexpr size_t kFrame = kLengthBytes + 2 * kCrcBytes;
  if (bytes.size() < at || bytes.size() - at < kFrame) return std::nullopt;
  const auto length = value_at<uint64_t>(bytes, at);
  if (masked_crc32c(bytes.substr(at, kLengthBytes)) !=
          value_at<uint32_t>(bytes, at + kLengthBytes) ||
      length > bytes.size() - at - kFrame) {
    return std::nullopt;
  }
  const std::string_view data = bytes.substr(at + kLengthBytes + kCrcBytes, length);
  if (masked_crc32c(data) !=
      value_at<uint32_t>(bytes, at + kLengthBytes + kCrcBytes + data.size())) {
    return std::nullopt;
  }
  at += kFrame + data.size();
  return data;
}

std::string scalar_event(double wall_time, int64_t step,
                         const std::vector<std::pair<std::string, double>>& values) {
  std::string summary;
  for (const auto& [name, value] : values) {
    if (!std::isfinite(value)) continue;
    summary += delimited(kValue, delimited(kTag, name) + key(kSimpleValue, kFixed32) +
                                     bytes_of(static_cast<float>(value)));
  }
  return key(kWallTime, kFixed64) + bytes_of(wall_time) + key(kStep, kVarint) +
         varint(static_cast<uint64_t>(step)) + delimited(kSummary, summary);
}

int64_t step_of_event(std::string_view event) {
  size_t at = 0;
  while (at < event.size()) {
    const auto tag = read_varint(event, at);
    if (!tag) return 0;
    const auto wire_type = static_cast<uint32_t>(*tag & 7);
    if (wire_type == kFixed64 || wire_type == kFixed32) {
      at += wire_type == kFixed64 ? 8 : 4;
      continue;
    }
    const auto number = read_varint(event, at);
    if (!number) return 0;
    if (*tag == (kStep << 3 | kVarint)) return static_cast<int64_t>(*number);
    if (wire_type == kLengthDelimited) at += std::min<uint64_t>(*number, event.size() - at);
  }
  return 0;  // what is 0 is not written
}

std::optional<fs::path> EventFile::find() const {
  if (!fs::is_directory(folder_)) return std::nullopt;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (entry.path().filename().string().starts_with(kPrefix)) return entry.path();
  }
  return std::nullopt;
}

void EventFile::add(int64_t step, const std::vector<std::pair<std::string, double>>& values) {
  fs::create_directories(folder_);
  if (path_.empty()) path_ = find().value_or(folder_ / new_name());
  const bool is_new = !fs::exists(path_);
  std::ofstream out(path_, std::ios::app | std::ios::binary);
  if (is_new) out << tf_record(version_event());
  out << tf_record(scalar_event(now(), step, values));
  out.flush();
  if (!out) throw Error(ExitCode::kIo, "cannot write " + path_.string());
}

void EventFile::truncate_after(int64_t step) {
  const std::optional<fs::path> file = find();
  if (!file) return;
  if (step == 0) {
    fs::remove(*file);
    return;
  }
  const std::string bytes = read_file(*file);
  std::string kept;
  for (size_t at = 0; const auto data = read_tf_record(bytes, at);) {
    if (step_of_event(*data) <= step) kept += tf_record(*data);
  }
  if (kept.empty()) {
    fs::remove(*file);
  } else {
    write_file_atomically(*file, kept);
  }
}

}  // namespace trivium::learning
