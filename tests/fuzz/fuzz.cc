#include "fuzz/fuzz.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <stdexcept>

#include "core/base/error.h"

namespace {

// Bytes that operator new gave and that were not given back, and the most there were.
std::atomic<size_t> held{0}, most_held{0};

// Null stays null.
void* counted(void* memory) {
  if (memory == nullptr) return nullptr;
  const size_t now = held += malloc_usable_size(memory);
  for (size_t most = most_held; now > most && !most_held.compare_exchange_weak(most, now);) {
  }
  return memory;
}

void release(void* memory) {
  if (memory == nullptr) return;
  held -= malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return counted(std::malloc(std::max<size_t>(size, 1)));
}
void* operator new(size_t size) {
  void* const memory = operator new(size, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new[](size_t size) { return operator new(size); }
void* operator new[](size_t size, const std::nothrow_t& nothrow) noexcept {
  return operator new(size, nothrow);
}
void* operator new(size_t size, std::align_val_t alignment) {
  const auto unit = static_cast<size_t>(alignment);
  void* const memory =
      counted(std::aligned_alloc(unit, (std::max<size_t>(size, 1) + unit - 1) / unit * unit));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { release(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { release(memory); }
void operator delete(void* memory, size_t) noexcept { release(memory); }
void operator delete[](void* memory, size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { release(memory); }

namespace trivium::fuzz {
namespace {

constexpr size_t kBytesForEach = 64, kBytesBesides = size_t{32} << 20;

class Folder {
 public:
  Folder() {
    const std::filesystem::path memory = "/dev/shm";
    std::string name =
        ((std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path()) /
         "trivium-fuzz-XXXXXX")
            .string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace

void may_refuse(std::string_view input, const std::function<void()>& parse) {
  const size_t before = held;
  most_held = before;
  try {
    parse();
  } catch (const Error&) {
  }
  check(most_held - before <= kBytesForEach * input.size() + kBytesBesides,
        "a parser held more memory than its input can need");
}

std::vector<std::string_view> parts_of(std::string_view input, size_t count) {
  std::vector<std::string_view> parts;
  while (parts.size() + 1 < count) {
    const size_t end = std::min(input.find(kBetween), input.size());
    parts.push_back(input.substr(0, end));
    input.remove_prefix(std::min(end + kBetween.size(), input.size()));
  }
  parts.push_back(input);
  return parts;
}

const std::filesystem::path& folder() {
  static const Folder folder;
  return folder.path();
}

std::filesystem::path put_file(const std::string& name, std::string_view bytes) {
  const std::filesystem::path path = folder() / name;
  if (bytes.empty()) {
    ::unlink(path.c_str());
    return path;
  }
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) throw std::runtime_error("cannot write " + path.string());
  const size_t written = std::fwrite(bytes.data(), 1, bytes.size(), file);
  if (std::fclose(file) != 0 || written != bytes.size()) {
    throw std::runtime_error("cannot write " + path.string());
  }
  return path;
}

}  // namespace trivium::fuzz
