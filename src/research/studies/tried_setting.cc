#include "research/studies/tried_setting.h"

#include <algorithm>

#include "research/studies/plan_table.h"

namespace trivium::research {

std::vector<TriedSetting> read_tried_settings(const std::filesystem::path& file) {
  const toml::table document = parse_plan_file(file);
  const PlanTable root(document, file.string());
  root.allow_only({"tried"});
  std::vector<TriedSetting> settings;
  for (const PlanTable& table : root.tables("tried")) {
    table.allow_only({"name", "method", "overrides"});
    TriedSetting setting{table.text("name"), table.text("method"), table.overrides("overrides")};
    table.check_folder_name("name", setting.name);
    if (setting.overrides.empty()) table.fail("overrides", "a tried setting changes something");
    if (std::any_of(settings.begin(), settings.end(),
                    [&](const TriedSetting& other) { return other.name == setting.name; })) {
      table.fail("name", "a second setting \"" + setting.name + "\"");
    }
    settings.push_back(std::move(setting));
  }
  if (settings.empty()) root.fail("tried", "there is no [[tried]]");
  return settings;
}

}  // namespace trivium::research
