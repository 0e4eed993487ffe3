// A request's JSON object, read key by key.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/serve/api_error.h"
#include "core/base/json.h"

namespace trivium::cli {

// All throw an ApiError 400, or an Error kBadData, that names the key and what it has to be. A key
// that is null is as good as missing.
class RequestKeys {
 public:
  explicit RequestKeys(const std::string& body);
  // An object within the request, which is called `name` there.
  RequestKeys(Json object, const std::string& name);

  template <typename T>
  std::optional<T> get(const char* key) {
    if (find(key) == nullptr) return {};
    return json_get<T>(json_, key, kRequest);
  }
  std::optional<int> get_whole(const char* key, int64_t low, int64_t high);
  std::optional<double> get_number(const char* key, double low, double high);
  const Json* find(const char* key);
  // A text, or an object of a task's fields. ApiError where it is missing.
  Json get_input(const char* key);

  // A key that would change the reply and is not supported; `harmless` are its values that do not.
  // `hint` ends the message.
  void refuse(const char* key, const std::vector<Json>& harmless, const std::string& hint = "");
  // Every key that was not read or refused.
  void refuse_others() const;

 private:
  Json json_;
  std::set<std::string> known_;
};

}  // namespace trivium::cli
