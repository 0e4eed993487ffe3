// Lines, and bodies of requests, as nobody who means well writes them.
#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include "core/base/rng.h"

namespace trivium::cli {

// How many to try: 3000, or what TRIVIUM_HOSTILE_LINES says (tools/hostile_lines).
inline int hostile_count() {
  const char* asked = std::getenv("TRIVIUM_HOSTILE_LINES");
  return asked == nullptr ? 3000 : std::atoi(asked);
}

class HostileLines {
 public:
  explicit HostileLines(uint64_t seed) : rng_(seed) {}

  // One without a line end. `good` is a line that would be answered, an object of JSON.
  std::string next(const std::string& good) {
    constexpr uint64_t kKinds = 16;
    if (rng_.below(1000) == 0) return huge();
    switch (rng_.below(kKinds)) {
      case 0:
        return "";
      case 1:
        return std::string(rng_.below(50), ' ') + "\t \v\f";
      case 2:
        return good + "\r";
      case 3:
        return random_bytes(rng_.below(200));
      case 4:
        return mutated(good);
      case 5:
        return good.substr(0, rng_.below(good.size()));
      case 6:
        return std::string("{\"input\":\"a\0b\"}\0{", 18);
      case 7:
        return "{\"task\":\"\\u001b[31m\\u009b2J\",\"model\":\"x:\\u001b]0;a\\u0007\",\"input\":"
               "\"a\"}";
      case 8:
        return "\x1b[2J\x1b]0;title\x07 film \x9b" + good;
      case 9:
        return with(good, pick(keys()), pick(values()));
      case 10:
        return nested(rng_.below(200));
      case 11:
        return "{\"input\":\"\\ud800 film \\udc00\"}";
      case 12:
        return "\xEF\xBB\xBF" + good;
      case 13:
        return "{\"input\":\"a film\",\"input\":" + good + "}";
      case 14:
        return "\xed\xa0\x80\xf4\x90\x80\x80\xc0\xaf film \xff";
      default:
        return good;
    }
  }

 private:
  static std::vector<std::string> keys() {
    return {"input",      "prompt", "task",        "id",        "options",    "model",
            "max_tokens", "n",      "stop",        "num_beams", "seed",       "logprobs",
            "stream",     "route",  "temperature", "\x7f",      "\\u001b[0m", "__proto__"};
  }
  static std::vector<std::string> values() {
    return {"null",
            "true",
            "-1",
            "1e308",
            "1e999",
            "18446744073709551615",
            "99999999999999999999999999",
            "1.5",
            "\"\"",
            "\"  \"",
            "[]",
            "{}",
            "[[]]",
            "[\"\"]",
            "[\"a\",\"a\"]",
            "[1]",
            "{\"text\":null}",
            "{\"text\":[\"a\"]}",
            "{\"x\":\"y\"}",
            "{\"encoder\":[9,9]}",
            "\"no such task\"",
            "\"\\u0000\"",
            "\"\\u202e\\u001e\"",
            "NaN",
            "'a'",
            "tru"};
  }
  std::string pick(const std::vector<std::string>& from) { return from[rng_.below(from.size())]; }

  static std::string with(const std::string& good, const std::string& key,
                          const std::string& value) {
    return good.substr(0, good.size() - 1) + ",\"" + key + "\":" + value + "}";
  }

  std::string random_bytes(size_t count) {
    std::string bytes;
    while (bytes.size() < count) {
      const char byte = static_cast<char>(rng_.below(256));
      if (byte != '\n') bytes += byte;
    }
    return bytes;
  }

  std::string mutated(std::string line) {
    for (uint64_t i = rng_.below(4) + 1; i > 0; --i) {
      const char byte = static_cast<char>(rng_.below(256));
      if (byte != '\n') line[rng_.below(line.size())] = byte;
    }
    return line;
  }

  static std::string nested(size_t depth) {
    return "{\"input\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
  }

  // About a megabyte.
  std::string huge() {
    constexpr size_t kSize = 1 << 20;
    std::string line;
    switch (rng_.below(6)) {
      case 0:
        return std::string(kSize, 'x');
      case 1:
        return "{\"input\":\"" + std::string(kSize, ' ') + "\"}";
      case 2:
        return "{\"input\":\"a\",\"task\":\"" + std::string(kSize, 'z') + "\"}";
      case 3:
        return random_bytes(kSize);
      case 4:
        for (line = "{\"a\":1"; line.size() < kSize;) {
          line += ",\"k" + std::to_string(line.size()) + "\":0";
        }
        return line + "}";
      default:
        for (line = "{\"input\":\"a\",\"options\":[\"a\""; line.size() < kSize;) line += ",\"\"";
        return line + "]}";
    }
  }

  Rng rng_;
};

}  // namespace trivium::cli
