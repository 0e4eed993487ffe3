#include "core/config/settings.h"

#include "core/base/error.h"
#include "fuzz/fuzz.h"

namespace trivium::fuzz {
namespace {

enum class Colour { kRed, kBlue };
const EnumNames<Colour>& colours() {
  static const EnumNames<Colour> names = {{"red", Colour::kRed}, {"blue", Colour::kBlue}};
  return names;
}

struct EverySetting : Settings {
  double rate = 0.1;
  int64_t steps = 5;
  bool fast = false;
  std::string name = "a";
  Colour colour = Colour::kRed;
  std::vector<double> weights;
  std::vector<int64_t> layers;
  std::vector<std::string> tasks;

  void visit(SettingsVisitor& visitor) override {
    visitor.number("train.rate", rate, 0, 1, "");
    visitor.integer("train.steps", steps, 1, 1000, "");
    visitor.flag("train.fast", fast, "");
    visitor.text("run.name", name, {}, "");
    visitor.choice("run.colour", colour, colours(), "");
    visitor.numbers("run.weights", weights, "");
    visitor.integers("run.layers", layers, "");
    visitor.texts("run.tasks", tasks, "");
  }
};

}  // namespace

// A file of settings, and --set's arguments, one a line. What is accepted is the same once it was
// written and read again.
void fuzz_settings(std::string_view input) {
  const auto parts = parts_of(input, 2);
  const auto path = put_file("settings.toml", parts[0].empty() ? "\n" : parts[0]);
  std::vector<std::string> overrides;
  for (size_t begin = 0; begin < parts[1].size();) {
    const size_t end = std::min(parts[1].find('\n', begin), parts[1].size());
    overrides.emplace_back(parts[1].substr(begin, end - begin));
    begin = end + 1;
  }
  may_refuse(input, [&] {
    EverySetting settings, again;
    load_settings(settings, path, overrides);
    const std::string text = settings_to_toml(settings);
    load_settings(again, put_file("again.toml", text), {});
    check(settings_to_toml(again) == text, "the settings come back");
  });
}

}  // namespace trivium::fuzz
