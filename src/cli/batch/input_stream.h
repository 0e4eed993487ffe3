// Standard input or a file, for reading lines while they come.
#pragma once

#include <array>
#include <atomic>
#include <streambuf>
#include <string>

namespace trivium::cli {

// Reads a file descriptor, and knows whether reading more would have to wait. Once `stop` (not
// owned) is true, the stream is at its end.
class InputStream : public std::streambuf {
 public:
  // "-" is standard input. Error kMissingInput, kIo.
  InputStream(const std::string& path, const std::atomic<bool>& stop);
  ~InputStream() override;
  InputStream(const InputStream&) = delete;
  InputStream& operator=(const InputStream&) = delete;

  // For messages: the path, or "stdin".
  const std::string& name() const { return name_; }
  // Whether something, or the end, comes within `milliseconds`.
  bool is_ready(int milliseconds);

 protected:
  int_type underflow() override;

 private:
  std::string name_;
  int descriptor_;
  const std::atomic<bool>& stop_;
  std::array<char, 1 << 16> buffer_;
};

}  // namespace trivium::cli
