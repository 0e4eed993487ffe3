#include "core/checkpoint/tensor_files.h"

#include "fuzz/fuzz.h"

namespace trivium::fuzz {

// An index and its shards a.safetensors, b.safetensors; or, where the index is empty,
// model.safetensors alone. Whatever is accepted is read.
void fuzz_tensor_files(std::string_view input) {
  const auto parts = parts_of(input, 3);
  const bool is_single = parts[0].empty();
  put_file("model.safetensors.index.json", parts[0]);
  put_file("model.safetensors", is_single ? parts[1] : "");
  put_file("a.safetensors", is_single ? "" : parts[1]);
  put_file("b.safetensors", parts[2]);
  may_refuse(input, [&] {
    const TensorFiles files(folder());
    files.elements();
    for (const std::string& name : files.names()) {
      shape_text(files.shape(name));
      is_finite(files.read(name));
    }
  });
}

}  // namespace trivium::fuzz
