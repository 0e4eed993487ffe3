#include "core/analysis/page.h"

#include <kainjow/mustache.hpp>

#include "core/analysis/page_assets.h"
#include "core/base/error.h"
#include "core/text/markup.h"

namespace trivium {
namespace {

namespace mustache = kainjow::mustache;

mustache::data to_data(const Json& value) {
  if (value.is_boolean()) return mustache::data(value.get<bool>());
  if (value.is_string()) return mustache::data(value.get<std::string>());
  if (value.is_array()) {
    mustache::data list(mustache::data::type::list);
    for (const Json& item : value) list.push_back(to_data(item));
    return list;
  }
  if (value.is_object()) {
    mustache::data object(mustache::data::type::object);
    for (const auto& [name, item] : value.items()) object.set(name, to_data(item));
    return object;
  }
  return mustache::data(to_json_line(value));
}

// The library takes a name that is missing for an empty text.
class StrictContext : public mustache::context<std::string> {
 public:
  using mustache::context<std::string>::context;

  const mustache::data* get(const std::string& name) const override {
    const mustache::data* found = mustache::context<std::string>::get(name);
    check(found != nullptr, "a template has a value for each of its names");
    return found;
  }
};

}  // namespace

std::string fill_template(std::string_view text, const Json& values) {
  mustache::mustache tree{std::string(text)};
  check(tree.is_valid(), "a template among the assets is well-formed");
  tree.set_custom_escape(escape_markup);
  const mustache::data data = to_data(values);
  StrictContext context(&data);
  return tree.render(context);
}

std::string whole_page(const PageParts& parts) {
  return fill_template(kPageHtml, {{"title", parts.title},
                                   {"summary", parts.summary},
                                   {"style", parts.style},
                                   {"body", parts.body},
                                   {"data", script_json(parts.data)},
                                   {"script", parts.script}});
}

}  // namespace trivium
