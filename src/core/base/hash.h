// A hash that is the same on every machine, unlike std::hash.
#pragma once

#include <cstdint>
#include <string_view>

namespace trivium {

// FNV-1a of 64 bits.
class Fnv1a {
 public:
  void add(char byte) { state_ = (state_ ^ static_cast<unsigned char>(byte)) * 0x100000001B3u; }
  void add(std::string_view text) {
    for (const char byte : text) add(byte);
  }
  uint64_t value() const { return state_; }

 private:
  uint64_t state_ = 0xCBF29CE484222325u;
};

inline uint64_t fnv1a(std::string_view text) {
  Fnv1a hash;
  hash.add(text);
  return hash.value();
}

}  // namespace trivium
