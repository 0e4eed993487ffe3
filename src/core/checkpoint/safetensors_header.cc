#include "core/checkpoint/safetensors_header.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "core/base/error.h"
#include "core/base/json.h"

namespace trivium {
namespace {

constexpr const char* kMetadataKey = "__metadata__";
constexpr size_t kMaxRank = 16;

struct DtypeInfo {
  Dtype dtype;
  const char* name;
  size_t size;
};
constexpr std::array<DtypeInfo, 10> kDtypes{{
    {Dtype::kBool, "BOOL", 1},
    {Dtype::kU8, "U8", 1},
    {Dtype::kI8, "I8", 1},
    {Dtype::kI16, "I16", 2},
    {Dtype::kF16, "F16", 2},
    {Dtype::kBf16, "BF16", 2},
    {Dtype::kI32, "I32", 4},
    {Dtype::kF32, "F32", 4},
    {Dtype::kF64, "F64", 8},
    {Dtype::kI64, "I64", 8},
}};
static_assert(kDtypes[static_cast<size_t>(Dtype::kI64)].dtype == Dtype::kI64);

// Accepts exactly the grammar of the header as it is parsed, so that no other JSON is ever stored:
// { "__metadata__": {string: string…}, name: {"dtype": string, "shape": [n…], "data_offsets": [n,
// n]}… }
class HeaderHandler : public nlohmann::json_sax<Json> {
 public:
  SafetensorsHeader header;
  std::string problem;

  bool null() override { return refuse("has a null"); }
  bool boolean(bool) override { return refuse("has a boolean"); }
  bool number_integer(number_integer_t) override { return refuse("has a negative number"); }
  bool number_float(number_float_t, const string_t&) override {
    return refuse("has a number that is not whole, or too large");
  }
  bool binary(binary_t&) override { return refuse("has binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::kShape) {
      if (shape_.size() == kMaxRank) return refuse("has more than 16 dimensions");
      if (value > INT64_MAX) return refuse("has a dimension that is too large");
      shape_.push_back(static_cast<int64_t>(value));
      return true;
    }
    if (place_ == Place::kOffsets) {
      if (offsets_.size() == 2) return refuse("has more than two data_offsets");
      offsets_.push_back(value);
      return true;
    }
    return refuse("has a number where none may be");
  }

  bool string(string_t& value) override {
    if (place_ == Place::kMetadata) {
      return header.metadata.emplace(key_, std::move(value)).second ||
             refuse("has a key twice: " + quoted_name(key_));
    }
    if (place_ != Place::kTensor || key_ != "dtype")
      return refuse("has a string where none may be");
    for (const DtypeInfo& info : kDtypes) {
      if (value != info.name) continue;
      entry_.dtype = info.dtype;
      return mark(kHasDtype);
    }
    return refuse("has the unknown dtype " + quoted_name(value));
  }

  bool key(string_t& value) override {
    if (place_ == Place::kTop) {
      entry_.name = std::move(value);
      return true;
    }
    key_ = std::move(value);
    return true;
  }

  bool start_object(size_t) override {
    if (place_ == Place::kOutside) {
      place_ = Place::kTop;
    } else if (place_ != Place::kTop) {
      return refuse("has an object where none may be");
    } else if (entry_.name == kMetadataKey) {
      if (std::exchange(has_metadata_, true)) return refuse("occurs twice");
      place_ = Place::kMetadata;
    } else {
      place_ = Place::kTensor;
      fields_ = 0;
      shape_.clear();
      offsets_.clear();
    }
    return true;
  }

  bool end_object() override {
    if (place_ == Place::kTop) {
      place_ = Place::kOutside;
      return true;
    }
    if (place_ == Place::kTensor && !finish_tensor()) return false;
    place_ = Place::kTop;
    return true;
  }

  bool start_array(size_t) override {
    if (place_ != Place::kTensor) return refuse("has a list where none may be");
    if (key_ == "shape") {
      place_ = Place::kShape;
      return mark(kHasShape);
    }
    if (key_ == "data_offsets") {
      place_ = Place::kOffsets;
      return mark(kHasOffsets);
    }
    return refuse("has the unknown key " + quoted_name(key_));
  }

  bool end_array() override {
    place_ = Place::kTensor;
    return true;
  }

  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    problem = "the header is malformed JSON at byte " + std::to_string(position);
    return false;
  }

 private:
  enum class Place { kOutside, kTop, kMetadata, kTensor, kShape, kOffsets };
  enum Field : unsigned { kHasDtype = 1, kHasShape = 2, kHasOffsets = 4 };

  bool refuse(const std::string& what) {
    problem = place_ == Place::kOutside ? "the header must be a JSON object"
                                        : "tensor " + quoted_name(entry_.name) + " " + what;
    return false;
  }

  bool mark(Field field) {
    if ((fields_ & field) != 0) return refuse("has a key twice: " + quoted_name(key_));
    fields_ |= field;
    return true;
  }

  bool finish_tensor() {
    if (fields_ != (kHasDtype | kHasShape | kHasOffsets)) {
      return refuse("needs dtype, shape and data_offsets");
    }
    if (offsets_.size() != 2 || offsets_[0] > offsets_[1]) {
      return refuse("has data_offsets that are not [begin, end]");
    }
    uint64_t bytes = size_of(entry_.dtype);
    for (const int64_t dimension : shape_) {
      if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(dimension), &bytes)) {
        return refuse("has a shape whose size overflows");
      }
    }
    entry_.shape = shape_;
    entry_.begin = offsets_[0];
    entry_.end = offsets_[1];
    if (bytes != entry_.size()) {
      return refuse("has " + std::to_string(entry_.size()) + " bytes where its shape needs " +
                    std::to_string(bytes));
    }
    header.entries.push_back(entry_);
    return true;
  }

  Place place_ = Place::kOutside;
  bool has_metadata_ = false;
  TensorEntry entry_;  // the tensor being read; its name is the last key of the top level
  std::string key_;    // the last key inside it
  std::vector<int64_t> shape_;
  std::vector<uint64_t> offsets_;
  unsigned fields_ = 0;
};

void check_unique_names(const std::vector<TensorEntry>& entries, const std::string& where) {
  std::vector<std::string_view> names;
  for (const TensorEntry& entry : entries) names.push_back(entry.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice == names.end()) return;
  throw Error(ExitCode::kBadModel, where + ": tensor " + quoted_name(*twice) + " occurs twice");
}

// The tensors must fill the data part exactly: an overlap or a hole hides bytes from one of two
// readers.
void check_layout(const std::vector<TensorEntry>& entries, uint64_t data_size,
                  const std::string& where) {
  uint64_t position = 0;
  for (const TensorEntry& entry : entries) {
    if (entry.begin != position) {
      throw Error(ExitCode::kBadModel,
                  where + ": tensor " + quoted_name(entry.name) +
                      (entry.begin < position ? " overlaps the one before it"
                                              : " follows a hole in the file"));
    }
    if (entry.end > data_size) {
      throw Error(ExitCode::kBadModel,
                  where + ": tensor " + quoted_name(entry.name) +
                      " ends after the end of the file; the file is truncated");
    }
    position = entry.end;
  }
  if (position != data_size) {
    throw Error(ExitCode::kBadModel, where + ": " + std::to_string(data_size - position) +
                                         " bytes follow the last tensor");
  }
}

}  // namespace

size_t size_of(Dtype dtype) { return kDtypes[static_cast<size_t>(dtype)].size; }

const char* name_of(Dtype dtype) { return kDtypes[static_cast<size_t>(dtype)].name; }

std::string quoted_name(std::string_view name) {
  constexpr size_t kShown = 100;
  return to_json_line(std::string(name.substr(0, kShown)) + (name.size() > kShown ? "…" : ""));
}

SafetensorsHeader parse_safetensors_header(std::string_view header, uint64_t data_size,
                                           const std::string& where) {
  // nlohmann-json takes a NUL for the end of its input, and what follows would be unchecked.
  const size_t last = header.find_last_not_of(' ');
  if (!header.starts_with('{') || header[last] != '}' || header.find('\0') != header.npos) {
    throw Error(ExitCode::kBadModel,
                where + ": the header must be a JSON object followed by spaces only");
  }
  HeaderHandler handler;
  if (!Json::sax_parse(header.begin(), header.end(), &handler)) {
    throw Error(ExitCode::kBadModel, where + ": " + handler.problem);
  }
  std::vector<TensorEntry>& entries = handler.header.entries;
  check_unique_names(entries, where);
  std::sort(entries.begin(), entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  check_layout(entries, data_size, where);
  return std::move(handler.header);
}

std::string format_safetensors_header(const SafetensorsHeader& header) {
  Json json = Json::object();
  if (!header.metadata.empty()) json[kMetadataKey] = header.metadata;
  for (const TensorEntry& entry : header.entries) {
    json[entry.name] = {{"dtype", name_of(entry.dtype)},
                        {"shape", entry.shape},
                        {"data_offsets", {entry.begin, entry.end}}};
  }
  std::string text = json.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

}  // namespace trivium
