// The one way to standard output, for results, and to standard error, for what goes beside them.
#pragma once

#include <ostream>
#include <streambuf>
#include <string>
#include <string_view>

namespace trivium::cli {

// What happens where nobody reads standard output any more.
enum class BrokenPipe {
  kIsAnError,    // the write throws Error kIo
  kEndsQuietly,  // the signal SIGPIPE ends the program, as it does every filter (`| head`)
};

// Chosen before the first write; without a choice it is kIsAnError, whatever the parent process
// does with SIGPIPE.
void choose_broken_pipe(BrokenPipe choice);

// Writes `text` through to standard output, behind what stdio and std::cout still hold for it, so
// that a reader gets it at once. Error kIo where not all of it can be written: a full device, a
// closed descriptor, a reader that went away.
void write_output(std::string_view text);

// Writes `text` to standard error. What cannot be written there is lost: there is no other place
// to say so.
void write_aside(std::string_view text);

// An std::ostream over write_output. It holds text back until it is flushed, or some 64 KiB have
// come together; an Error of write_output passes through the << or flush that met it, and the
// stream is bad afterwards. Flush it before its end: its destructor drops what it holds.
class OutputStream : public std::ostream {
 public:
  OutputStream();
  OutputStream(const OutputStream&) = delete;
  OutputStream& operator=(const OutputStream&) = delete;

 private:
  class Buffer : public std::streambuf {
   protected:
    int_type overflow(int_type c) override;
    std::streamsize xsputn(const char* text, std::streamsize count) override;
    int sync() override;

   private:
    std::string held_;
  };

  Buffer buffer_;
};

}  // namespace trivium::cli
