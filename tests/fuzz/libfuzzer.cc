// Makes a libFuzzer program of the target that TRIVIUM_FUZZ_TARGET names.
#include <cstddef>
#include <cstdint>

#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  trivium::fuzz::TRIVIUM_FUZZ_TARGET({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
