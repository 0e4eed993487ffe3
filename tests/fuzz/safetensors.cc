#include "core/base/error.h"
#include "core/checkpoint/safetensors_header.h"
#include "fuzz/fuzz.h"

namespace trivium::fuzz {

// Two bytes, the lower first, say how long the data part is; the rest is the header. What is
// accepted is the same once it was written and read again.
void fuzz_safetensors(std::string_view input) {
  if (input.size() < 2) return;
  const auto byte = [&](size_t i) { return uint64_t{static_cast<unsigned char>(input[i])}; };
  const uint64_t data_size = byte(0) | byte(1) << 8;
  may_refuse(input, [&] {
    const SafetensorsHeader header = parse_safetensors_header(input.substr(2), data_size, "file");
    const SafetensorsHeader again =
        parse_safetensors_header(format_safetensors_header(header), data_size, "file");
    check(again.metadata == header.metadata, "the metadata come back");
    check(again.entries.size() == header.entries.size(), "the tensors come back");
    for (size_t i = 0; i < again.entries.size(); ++i) {
      const TensorEntry &a = header.entries[i], &b = again.entries[i];
      check(a.name == b.name && a.dtype == b.dtype && a.shape == b.shape && a.begin == b.begin &&
                a.end == b.end,
            "a tensor comes back");
    }
  });
}

}  // namespace trivium::fuzz
