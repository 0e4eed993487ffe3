#include "core/base/file.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trivium {
namespace {

[[noreturn]] void throw_io(const std::string& action, const std::filesystem::path& path) {
  const int saved = errno;
  throw Error(saved == ENOENT ? ExitCode::kMissingInput : ExitCode::kIo,
              "cannot " + action + " " + path.string() + ": " + std::strerror(saved));
}

class FileDescriptor {
 public:
  FileDescriptor(const std::filesystem::path& path, int flags, const char* action)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    if (fd_ < 0) throw_io(action, path);
  }
  ~FileDescriptor() { ::close(fd_); }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

void write_all(int descriptor, std::string_view bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_io("write", path);
    bytes.remove_prefix(static_cast<size_t>(count));
  }
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) {
    throw Error(ExitCode::kIo, "cannot read " + path.string() + ": it is a folder");
  }
  FileDescriptor file(path, O_RDONLY, "read");
  std::string bytes;
  std::array<char, 1 << 16> buffer;
  for (;;) {
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_io("read", path);
    if (count == 0) return bytes;
    bytes.append(buffer.data(), static_cast<size_t>(count));
  }
}

void sync_path(const std::filesystem::path& path) {
  FileDescriptor file(path, O_RDONLY, "open");
  if (::fsync(file.get()) != 0) throw_io("flush", path);
}

void write_file_atomically(const std::filesystem::path& path, std::string_view bytes) {
  write_file_atomically(path, std::span(&bytes, 1));
}

WriteTarget write_target(const std::filesystem::path& path) {
  constexpr int kMostLinks = 40;
  WriteTarget target{path, true};
  std::error_code error;
  for (int links = 0; std::filesystem::is_symlink(target.path, error); ++links) {
    if (links == kMostLinks) {
      errno = ELOOP;
      throw_io("write", path);
    }
    target.path = target.path.parent_path() / std::filesystem::read_symlink(target.path);
  }
  const auto type = std::filesystem::status(target.path, error).type();
  target.is_replaceable =
      type == std::filesystem::file_type::regular || type == std::filesystem::file_type::not_found;
  return target;
}

void write_file_atomically(const std::filesystem::path& named,
                           std::span<const std::string_view> pieces) {
  const auto [path, is_replaceable] = write_target(named);
  if (!is_replaceable) {
    FileDescriptor file(path, O_WRONLY, "write");
    for (const std::string_view piece : pieces) write_all(file.get(), piece, path);
    return;
  }
  std::filesystem::path temporary = path;
  temporary += ".tmp" + std::to_string(::getpid());
  try {
    FileDescriptor file(temporary, O_WRONLY | O_CREAT | O_TRUNC, "write");
    struct stat old {};
    if (::stat(path.c_str(), &old) == 0) ::fchmod(file.get(), old.st_mode & 07777);
    for (const std::string_view piece : pieces) write_all(file.get(), piece, path);
    if (::fsync(file.get()) != 0) throw_io("flush", path);
    if (::rename(temporary.c_str(), path.c_str()) != 0) throw_io("write", path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_path(path.parent_path().empty() ? "." : path.parent_path());
}

std::string sha256_of_file(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw_io("read", path);
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                  EVP_MD_CTX_free);
  check(context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1, "SHA-256 init");
  std::array<char, 1 << 16> buffer;
  while (stream.read(buffer.data(), buffer.size()) || stream.gcount() > 0) {
    EVP_DigestUpdate(context.get(), buffer.data(), static_cast<size_t>(stream.gcount()));
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int length = 0;
  EVP_DigestFinal_ex(context.get(), digest.data(), &length);
  static const char* kHex = "0123456789abcdef";
  std::string hex;
  for (unsigned int i = 0; i < length; ++i) {
    hex += kHex[digest[i] >> 4];
    hex += kHex[digest[i] & 15];
  }
  return hex;
}

std::optional<LineReader::Line> LineReader::next() {
  Line line;
  std::streambuf* buffer = stream_.rdbuf();
  int c = buffer->sbumpc();
  if (c == std::char_traits<char>::eof()) return std::nullopt;
  for (; c != std::char_traits<char>::eof() && c != '\n'; c = buffer->sbumpc()) {
    if (line.text.size() < max_bytes_) {
      line.text += static_cast<char>(c);
    } else {
      line.truncated = true;
    }
  }
  if (!line.truncated && !line.text.empty() && line.text.back() == '\r') line.text.pop_back();
  line.number = ++number_;
  if (line.number == 1) refuse_utf16(line.text, name_);
  if (line.number == 1 && line.text.starts_with("\xEF\xBB\xBF")) line.text.erase(0, 3);
  return line;
}

}  // namespace trivium
