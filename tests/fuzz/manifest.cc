#include "core/checkpoint/checkpoint_folder.h"
#include "fuzz/fuzz.h"

namespace trivium::fuzz {

// A manifest, a text and a file of tensors.
void fuzz_manifest(std::string_view input) {
  const auto parts = parts_of(input, 3);
  put_file(kManifestFile, parts[0]);
  put_file("a.txt", parts[1]);
  put_file("a.safetensors", parts[2]);
  may_refuse(input, [&] { verify_checkpoint_folder(folder(), Verify::kChecksums); });
  may_refuse(input, [&] { verify_every_byte(folder()); });
}

}  // namespace trivium::fuzz
