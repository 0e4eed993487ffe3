#include "core/data/mustache_text.h"

#include <algorithm>
#include <kainjow/mustache.hpp>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trivium {
namespace {

namespace mustache = kainjow::mustache;

constexpr size_t kMaxTemplate = size_t{16} << 10;
constexpr size_t kMaxRendered = size_t{4} << 20;
constexpr size_t kMaxDepth = 4;
constexpr const char* kChoices = "choices";
constexpr const char* kSeparator = "sep";

bool is_plain_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

// Checks the tags before the library sees them, which trusts its templates, and lists the fields.
std::vector<std::string> scan_fields(const std::string& text, const std::string& where) {
  std::vector<std::string> fields, open;
  for (size_t at = 0; (at = text.find("{{", at)) != std::string::npos;) {
    const size_t end = text.find("}}", at);
    if (end == std::string::npos) bad_template(where, "a \"{{\" has no \"}}\"");
    std::string_view name = trim(std::string_view(text).substr(at + 2, end - at - 2));
    const char sigil = name.empty() ? ' ' : name.front();
    const bool section = sigil == '#' || sigil == '^' || sigil == '/';
    if (section) name = trim(name.substr(1));
    if (!is_plain_name(name))
      bad_template(where, "\"" + text.substr(at, end + 2 - at) + "\" is not a usable tag");
    const std::string field(name);
    const bool in_choices = std::find(open.begin(), open.end(), kChoices) != open.end();
    const bool of_choice = in_choices && (field == "letter" || field == "text");
    if (sigil == '/') {
      if (open.empty() || open.back() != field)
        bad_template(where, "{{/" + field + "}} closes no open section");
      open.pop_back();
    } else if (sigil != '#' && sigil != '^' && field == kSeparator) {
      // The template's own, not a field.
    } else if (!of_choice && std::find(fields.begin(), fields.end(), field) == fields.end()) {
      fields.push_back(field);
    }
    if (sigil == '#' || sigil == '^') open.push_back(field);
    if (open.size() > kMaxDepth) bad_template(where, "sections are nested deeper than 4");
    at = end + 2;
  }
  if (!open.empty()) bad_template(where, "section \"" + open.back() + "\" is not closed");
  return fields;
}

// A field's text cannot pretend to be several.
std::string as_one_field(std::string text) {
  std::replace(text.begin(), text.end(), kFieldSeparator, ' ');
  return text;
}

mustache::data to_data(const std::string& name, const Json& value, const std::string& where) {
  const auto is_text = [](const Json& item) { return item.is_string(); };
  if (!is_text(value) && !(value.is_array() && std::all_of(value.begin(), value.end(), is_text))) {
    throw Error(ExitCode::kBadData,
                where + ": field \"" + name + "\" is neither text nor a list of text");
  }
  if (is_text(value)) {
    const std::string text = as_one_field(value.get<std::string>());
    return text.empty() ? mustache::data(false) : mustache::data(text);
  }
  mustache::data list(mustache::data::type::list);
  for (size_t i = 0; i < value.size(); ++i) {
    mustache::data item(mustache::data::type::object);
    item.set("letter", choice_letter(i));
    item.set("text", as_one_field(value[i].get<std::string>()));
    list.push_back(item);
  }
  return list;
}

// The library's look-up, with an error for a missing field and a bound on what is written.
class BoundedContext : public mustache::context<std::string> {
 public:
  BoundedContext(const mustache::data* data, size_t template_size, const std::string& where)
      : mustache::context<std::string>(data), template_size_(template_size), where_(where) {}

  void push(const mustache::data* data) override {
    spend(template_size_);
    mustache::context<std::string>::push(data);
  }

  const mustache::data* get(const std::string& name) const override {
    const mustache::data* found = mustache::context<std::string>::get(name);
    if (found == nullptr)
      throw Error(ExitCode::kBadData, where_ + ": field \"" + name + "\" is missing");
    if (found->is_string()) spend(found->string_value().size());
    return found;
  }

 private:
  void spend(size_t bytes) const {
    spent_ += bytes;
    if (spent_ > kMaxRendered)
      throw Error(ExitCode::kBadData, where_ + ": the rendered prompt is longer than 4 MiB");
  }

  size_t template_size_;
  const std::string& where_;
  mutable size_t spent_ = 0;
};

}  // namespace

std::string choice_letter(size_t place) {
  return place < 26 ? std::string(1, static_cast<char>('A' + place)) : std::to_string(place + 1);
}

void bad_template(const std::string& where, const std::string& what) {
  throw Error(ExitCode::kConfig, where + ": " + what);
}

struct MustacheText::Parsed {
  explicit Parsed(const std::string& text) : tree(text) {}
  // Not const: the library's render() is not, though it changes nothing where there are no partials
  // and no lambdas.
  mutable mustache::mustache tree;
};

MustacheText::MustacheText(const std::string& text, const std::string& where) : size_(text.size()) {
  if (text.size() > kMaxTemplate) bad_template(where, "the text is longer than 16 KiB");
  fields_ = scan_fields(text, where);
  parsed_ = std::make_unique<Parsed>(text);
  if (!parsed_->tree.is_valid()) bad_template(where, parsed_->tree.error_message());
  parsed_->tree.set_custom_escape([](const std::string& raw) { return raw; });
}

MustacheText::~MustacheText() = default;
MustacheText::MustacheText(MustacheText&&) noexcept = default;
MustacheText& MustacheText::operator=(MustacheText&&) noexcept = default;

std::string MustacheText::render(const Json& fields, const std::string& where) const {
  mustache::data data(mustache::data::type::object);
  data.set(kSeparator, std::string(1, kFieldSeparator));
  for (const std::string& name : fields_) {
    if (!fields.is_object() || !fields.contains(name)) {
      throw Error(ExitCode::kBadData, where + ": field \"" + name + "\" is missing");
    }
    data.set(name, to_data(name, fields.at(name), where));
  }
  BoundedContext context(&data, size_, where);
  return parsed_->tree.render(context);
}

}  // namespace trivium
