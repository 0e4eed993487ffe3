#include "cli/serve/request_keys.h"

#include <algorithm>
#include <utility>

#include "core/base/text.h"

namespace trivium::cli {
namespace {

constexpr size_t kLongestKey = 80;  // bytes of a key that a message repeats

ApiError outside(const char* key, const Json& low, const Json& high) {
  return bad_request("\"" + std::string(key) + "\" must be from " + low.dump() + " to " +
                     high.dump());
}

}  // namespace

RequestKeys::RequestKeys(const std::string& body)
    : RequestKeys(parse_json(body, kRequest), kRequest) {}

RequestKeys::RequestKeys(Json object, const std::string& name) : json_(std::move(object)) {
  if (!json_.is_object()) throw bad_request(name + " is not a JSON object");
}

std::optional<int> RequestKeys::get_whole(const char* key, int64_t low, int64_t high) {
  const Json* value = find(key);
  if (value == nullptr) return {};
  const auto number = json_as<int64_t>(*value);
  if (!value->is_number_integer() && !number) throw_json_type_error(key, kRequest, false);
  if (!number || *number < low || *number > high) throw outside(key, low, high);
  return static_cast<int>(*number);
}

std::optional<double> RequestKeys::get_number(const char* key, double low, double high) {
  const std::optional<double> number = get<double>(key);
  if (number && !(*number >= low && *number <= high)) throw outside(key, low, high);
  return number;
}

const Json* RequestKeys::find(const char* key) {
  known_.insert(key);
  const auto found = json_.find(key);
  return found != json_.end() && !found->is_null() ? &*found : nullptr;
}

Json RequestKeys::get_input(const char* key) {
  const Json* input = find(key);
  if (input == nullptr || !(input->is_string() || input->is_object())) {
    throw bad_request("\"" + std::string(key) +
                      "\" must be a text, or an object of the task's fields");
  }
  return *input;
}

void RequestKeys::refuse(const char* key, const std::vector<Json>& harmless,
                         const std::string& hint) {
  const Json* value = find(key);
  if (value == nullptr || std::find(harmless.begin(), harmless.end(), *value) != harmless.end()) {
    return;
  }
  throw bad_request("\"" + std::string(key) + "\" is not supported; leave it out" + hint);
}

void RequestKeys::refuse_others() const {
  for (const auto& [key, value] : json_.items()) {
    if (known_.contains(key)) continue;
    if (key.size() > kLongestKey) throw bad_request("unknown key of more than 80 bytes");
    throw bad_request("unknown key " + to_json_line(key) +
                      did_you_mean(key, {known_.begin(), known_.end()}));
  }
}

}  // namespace trivium::cli
