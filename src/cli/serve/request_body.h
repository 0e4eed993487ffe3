// The body of a request, from somebody who is not trusted.
#pragma once

#include <httplib.h>

#include <string>

namespace trivium::cli {

// The body of `request`, of `most` bytes at most, as `read` gives it. ApiError: 408 where it takes
// too long, 411 where nothing says how long it is, 413 where it is too long, 400 where it ends
// before its end.
std::string read_body(const httplib::Request& request, const httplib::ContentReader& read,
                      size_t most);

// Reads on to the body's end, if that is not far, and keeps nothing: one who is still sending may
// not read the reply. False where it is far, or nothing says where it is.
bool discard_body(const httplib::Request& request, const httplib::ContentReader& read);

}  // namespace trivium::cli
