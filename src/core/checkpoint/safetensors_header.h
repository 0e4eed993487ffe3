// The JSON header of a safetensors file, apart from files: what a fuzzer feeds.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/checkpoint/safetensors.h"

namespace trivium {

struct SafetensorsHeader {
  std::vector<TensorEntry> entries;  // in the order of their bytes
  std::map<std::string, std::string> metadata;
};

// Parses and checks `header` for a file whose data part has `data_size` bytes. Error kBadModel
// whose message begins with `where`. Allocates at most a small multiple of header.size().
SafetensorsHeader parse_safetensors_header(std::string_view header, uint64_t data_size,
                                           const std::string& where);

// The header, padded with spaces to a multiple of 8 bytes. `entries` are in the order of their
// bytes.
std::string format_safetensors_header(const SafetensorsHeader& header);

// `name` for a message: in quotes, escaped, cut when very long.
std::string quoted_name(std::string_view name);

}  // namespace trivium
