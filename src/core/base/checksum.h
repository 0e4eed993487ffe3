// A fast checksum, which finds bytes that changed by accident (a bad disk, a broken copy). Who
// changes them on purpose is found by the SHA-256 of file.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace trivium {

// XXH3 of 64 bits.
uint64_t checksum_of(std::span<const std::byte> bytes);
uint64_t checksum_of(std::string_view bytes);

// 16 hexadecimal digits, as in a manifest.
std::string checksum_text(uint64_t checksum);

}  // namespace trivium
