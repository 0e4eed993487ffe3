// Reading and writing the keys of config.json: the two visitors of model_config.cc's table.
#pragma once

#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/model_config.h"

namespace trivium {

enum class Presence { kRequired, kOptional };

class KeyReader {
 public:
  KeyReader(const Json& object, std::string where, std::string prefix = "")
      : object_(object), where_(std::move(where)), prefix_(std::move(prefix)) {}

  // The value of `key`, or nullptr where it is missing or null; remembers that the key is known.
  const Json* find(const char* key) {
    known_.insert(key);
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  [[noreturn]] void fail(const char* key, const std::string& problem) const {
    throw Error(ExitCode::kBadModel, where_ + ": key \"" + prefix_ + key + "\" " + problem);
  }

  template <typename T>
  void number(const char* key, T& field, std::type_identity_t<T> low, std::type_identity_t<T> high,
              Presence presence = Presence::kOptional) {
    const Json* value = find(key);
    if (value == nullptr) {
      // A default can be out of range too: an end token of 2 in a vocabulary of 2.
      if (presence == Presence::kRequired || field < low || field > high) fail(key, "is missing");
      return;
    }
    const std::string range = " from " + Json(low).dump() + " to " + Json(high).dump();
    if constexpr (std::is_integral_v<T>) {
      // A float or a bool is refused: a model of 6.5 layers is a mistake, not 6 layers.
      constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
      if (!value->is_number_integer() ||
          (value->is_number_unsigned() && value->get<uint64_t>() > kMax) ||
          value->get<int64_t>() < low || value->get<int64_t>() > high) {
        fail(key, "must be a whole number" + range);
      }
    } else if (!value->is_number() || !(value->get<T>() >= low && value->get<T>() <= high)) {
      fail(key, "must be a number" + range);
    }
    field = value->get<T>();
  }

  void boolean(const char* key, bool& field) {
    const Json* value = find(key);
    if (value == nullptr) return;
    if (!value->is_boolean()) fail(key, "must be true or false");
    field = value->get<bool>();
  }

  void early_stopping(const char* key, EarlyStopping& field) {
    const Json* value = find(key);
    if (value == nullptr) return;
    if (*value == "never") {
      field = EarlyStopping::kNever;
    } else if (value->is_boolean()) {
      field = value->get<bool>() ? EarlyStopping::kOn : EarlyStopping::kOff;
    } else {
      fail(key, "must be true, false or \"never\"");
    }
  }

  void ids(const char* key, std::vector<int32_t>& field, int32_t last_id) {
    if (const Json* value = find(key)) field = read_ids(key, *value, last_id);
  }

  void id_lists(const char* key, std::vector<std::vector<int32_t>>& field, int32_t last_id) {
    const Json* value = find(key);
    if (value == nullptr) return;
    if (!value->is_array()) fail(key, "must be a list of lists of token ids");
    field.clear();
    for (const Json& item : *value) {
      field.push_back(read_ids(key, item, last_id));
      if (field.back().empty()) fail(key, "has an empty list");
    }
  }

  // Null (or -1) means "none"; a missing key leaves the default.
  void optional_id(const char* key, int32_t& field, int32_t last_id) {
    if (object_.contains(key) && object_.at(key).is_null()) {
      field = -1;
    } else {
      number(key, field, -1, last_id);
    }
  }

  void layers(const char* key, std::vector<int64_t>& field, int64_t count) {
    const Json* value = find(key);
    if (value == nullptr) return;
    const std::string problem =
        "must be a list of different layer numbers below " + std::to_string(count);
    if (!value->is_array()) fail(key, problem);
    std::set<int64_t> seen;
    field.clear();
    for (const Json& item : *value) {
      if (!item.is_number_integer() || item < 0 || item >= count ||
          !seen.insert(item.get<int64_t>()).second) {
        fail(key, problem);
      }
      field.push_back(item.get<int64_t>());
    }
  }

  template <typename Names, typename Kind>
  void name(const char* key, Kind& field, const Names& names) {
    const Json* value = find(key);
    if (value == nullptr) return;
    std::string known;
    for (const auto& [name, kind] : names) {
      if (*value == name) {
        field = kind;
        return;
      }
      known += std::string(known.empty() ? "\"" : ", \"") + name + "\"";
    }
    fail(key, "must be one of " + known);
  }

  // An unknown key may change what the model computes, so that ignoring it would be silent damage.
  void refuse_unknown() const {
    for (const auto& [key, value] : object_.items()) {
      if (known_.contains(key)) continue;
      const std::string shown = replace_invalid_utf8(std::string_view(key).substr(0, 80));
      throw Error(ExitCode::kBadModel,
                  where_ + ": unknown key " + to_json_line(prefix_ + shown) +
                      did_you_mean(key, std::vector<std::string>(known_.begin(), known_.end())) +
                      " (was the checkpoint written by a newer trivium?)");
    }
  }

 private:
  std::vector<int32_t> read_ids(const char* key, const Json& list, int32_t last_id) const {
    const std::string problem = "must hold lists of token ids from 0 to " + std::to_string(last_id);
    if (!list.is_array()) fail(key, problem);
    std::vector<int32_t> ids;
    for (const Json& id : list) {
      if (!id.is_number_integer() || id < 0 || id > last_id) fail(key, problem);
      ids.push_back(id.get<int32_t>());
    }
    return ids;
  }

  const Json& object_;
  std::string where_;
  std::string prefix_;
  std::set<std::string> known_;
};

class KeyWriter {
 public:
  explicit KeyWriter(Json& object) : object_(object) {}
  template <typename T>
  void number(const char* key, T field, std::type_identity_t<T>, std::type_identity_t<T>,
              Presence = Presence::kOptional) {
    object_[key] = field;
  }
  void boolean(const char* key, bool field) { object_[key] = field; }
  void early_stopping(const char* key, EarlyStopping field) {
    object_[key] =
        field == EarlyStopping::kNever ? Json("never") : Json(field == EarlyStopping::kOn);
  }
  // What says nothing is left out, so that a file of before there was the key stays what it is.
  void ids(const char* key, const std::vector<int32_t>& field, int32_t) {
    if (!field.empty()) object_[key] = field;
  }
  void id_lists(const char* key, const std::vector<std::vector<int32_t>>& field, int32_t) {
    if (!field.empty()) object_[key] = field;
  }
  void optional_id(const char* key, int32_t field, int32_t) {
    object_[key] = field < 0 ? Json() : Json(field);
  }
  void layers(const char* key, const std::vector<int64_t>& field, int64_t) { object_[key] = field; }
  template <typename Names, typename Kind>
  void name(const char* key, Kind field, const Names& names) {
    object_[key] = name_in(names, field);
  }

 private:
  Json& object_;
};

}  // namespace trivium
