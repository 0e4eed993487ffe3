#include "cli/serve/request_body.h"

#include <chrono>

#include "cli/serve/api_error.h"

namespace trivium::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMostDiscarded = 16 << 20;
constexpr auto kPatienceForBody = std::chrono::seconds(30);  // for a body that is read
constexpr auto kPatienceForRest = std::chrono::seconds(3);   // for one that is not

bool is_chunked(const httplib::Request& request) { return request.has_header("Transfer-Encoding"); }

size_t declared_length(const httplib::Request& request) {
  return request.get_header_value<uint64_t>("Content-Length", 0);
}

}  // namespace

std::string read_body(const httplib::Request& request, const httplib::ContentReader& read,
                      size_t most) {
  const ApiError too_large(
      413, "invalid_request_error",
      "the request is too large; it may have " + std::to_string(most) + " bytes");
  if (!is_chunked(request)) {
    if (!request.has_header("Content-Length")) {
      throw ApiError(411, "invalid_request_error", "send Content-Length");
    }
    if (declared_length(request) > most) throw too_large;
  }
  const auto end = Clock::now() + kPatienceForBody;
  std::string body;
  bool is_too_large = false, is_too_slow = false;
  const bool is_whole = read([&](const char* data, size_t size) {
    is_too_large = size > most - body.size();
    is_too_slow = Clock::now() > end;
    if (is_too_large || is_too_slow) return false;
    body.append(data, size);
    return true;
  });
  if (is_too_large) throw too_large;
  if (is_too_slow) throw ApiError(408, "timeout_error", "the request takes too long to arrive");
  if (!is_whole) throw bad_request("the request's body cannot be read to its end");
  return body;
}

bool discard_body(const httplib::Request& request, const httplib::ContentReader& read) {
  if (!is_chunked(request)) {
    if (!request.has_header("Content-Length")) return false;
    if (declared_length(request) > kMostDiscarded) return false;
  }
  const auto end = Clock::now() + kPatienceForRest;
  size_t discarded = 0;
  return read([&](const char*, size_t size) {
    discarded += size;
    return discarded <= kMostDiscarded && Clock::now() < end;
  });
}

}  // namespace trivium::cli
