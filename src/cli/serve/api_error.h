// What a request ends with when it cannot be answered.
#pragma once

#include <stdexcept>
#include <string>

#include "core/base/error.h"
#include "core/base/json.h"

namespace trivium::cli {

// What the messages about a request's JSON begin with.
constexpr const char* kRequest = "the request";

// An HTTP status and, for the body, what OpenAI's interface calls an error.
class ApiError : public std::runtime_error {
 public:
  ApiError(int status, std::string type, const std::string& message)
      : std::runtime_error(message), status_(status), type_(std::move(type)) {}

  int status() const { return status_; }
  // {"error": {"message", "type", "param": null, "code": null}}
  Json body() const {
    return {
        {"error", {{"message", what()}, {"type", type_}, {"param", nullptr}, {"code", nullptr}}}};
  }

 private:
  int status_;
  std::string type_;
};

// What the asker did wrong.
inline ApiError bad_request(const std::string& message) {
  return {400, "invalid_request_error", message};
}

// The status of an error of the program's.
inline ApiError api_error_of(const Error& error) {
  switch (error.code()) {
    case ExitCode::kUsage:
    case ExitCode::kConfig:
    case ExitCode::kBadData:
      return bad_request(error.what());
    case ExitCode::kMissingInput:
      return {404, "not_found_error", error.what()};
    case ExitCode::kInterrupted:
    case ExitCode::kUnavailable:
      return {503, "unavailable_error", error.what()};
    default:
      return {500, "server_error", error.what()};
  }
}

}  // namespace trivium::cli
