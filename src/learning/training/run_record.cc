#include "learning/training/run_record.h"

#include <algorithm>
#include <array>

#include "core/base/checksum.h"
#include "core/base/error.h"
#include "core/base/logging.h"

namespace trivium::learning {
namespace {

constexpr std::array kFingerprinted = {"model.init", "data.gym", "data.prompts", "data.text_files"};
constexpr std::array kAdjustable = {"train.learning_rate",
                                    "train.decoder_learning_rate",
                                    "train.router_learning_rate",
                                    "train.task_vector_learning_rate",
                                    "train.clip",
                                    "train.max_skipped"};

template <size_t N>
bool is_in(const std::array<const char*, N>& list, const std::string& key) {
  return std::find(list.begin(), list.end(), key) != list.end();
}

bool is_recorded(const std::string& key) {
  return !key.starts_with("run.") && key != "train.threads" && !is_in(kFingerprinted, key);
}

// Every recorded setting by its key.
class Collector : public SettingsVisitor {
 public:
  void number(const char* key, double& value, double, double, const char*) override {
    add(key, value);
  }
  void integer(const char* key, int64_t& value, int64_t, int64_t, const char*) override {
    add(key, value);
  }
  void flag(const char* key, bool& value, const char*) override { add(key, value); }
  void text(const char* key, std::string& value, const std::vector<std::string>&,
            const char*) override {
    add(key, value);
  }
  void numbers(const char* key, std::vector<double>& value, const char*) override {
    add(key, value);
  }
  void integers(const char* key, std::vector<int64_t>& value, const char*) override {
    add(key, value);
  }
  void texts(const char* key, std::vector<std::string>& value, const char*) override {
    add(key, value);
  }
  Json take() { return std::move(settings_); }

 private:
  void add(const std::string& key, const Json& value) {
    if (is_recorded(key)) settings_[key] = value;
  }
  Json settings_ = Json::object();
};

template <typename T>
std::string_view bytes_of(const T* values, size_t count) {
  return {reinterpret_cast<const char*>(values), count * sizeof(T)};
}

void add_ids(Fingerprint& fingerprint, const std::vector<int32_t>& ids) {
  fingerprint.add(bytes_of(ids.data(), ids.size()));
}

// What is not the same, for people: "train.seed = 42 (7 is asked for)".
std::string difference(const std::string& key, const Json& kept, const Json& given) {
  return key + " = " + to_json_line(kept) + " (" + to_json_line(given) + " is asked for)";
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

}  // namespace

void Fingerprint::add(std::string_view bytes) { checksums_ += checksum_text(checksum_of(bytes)); }

std::string Fingerprint::text() const { return checksum_text(checksum_of(checksums_)); }

std::string fingerprint_of(const NamedTensors& tensors) {
  Fingerprint fingerprint;
  for (const auto& [name, tensor] : tensors) {
    const torch::Tensor host = tensor.detach().to(torch::kCPU).contiguous();
    fingerprint.add(name);
    fingerprint.add({static_cast<const char*>(host.data_ptr()), host.nbytes()});
  }
  return fingerprint.text();
}

std::string fingerprint_of(const std::vector<EncodedExample>& examples,
                           const std::vector<std::string>& tasks) {
  Fingerprint fingerprint;
  for (const std::string& task : tasks) fingerprint.add(task);
  for (const EncodedExample& example : examples) {
    fingerprint.add(bytes_of(&example.task, 1));
    add_ids(fingerprint, example.source);
    add_ids(fingerprint, example.target);
  }
  return fingerprint.text();
}

std::string fingerprint_of(const std::vector<LabelledExample>& examples,
                           const std::vector<std::string>& tasks) {
  Fingerprint fingerprint;
  for (const std::string& task : tasks) fingerprint.add(task);
  for (const LabelledExample& example : examples) {
    const std::array<int64_t, 3> numbers = {example.task, example.second, example.label};
    fingerprint.add(bytes_of(numbers.data(), numbers.size()));
    fingerprint.add(bytes_of(&example.value, 1));
    add_ids(fingerprint, example.ids);
  }
  return fingerprint.text();
}

std::string fingerprint_of(const std::vector<std::string>& texts) {
  Fingerprint fingerprint;
  for (const std::string& text : texts) fingerprint.add(text);
  return fingerprint.text();
}

Json run_record(Settings& settings, const std::string& start, const std::string& data) {
  Collector collector;
  settings.visit(collector);
  return {{"settings", collector.take()}, {"start", start}, {"data", data}};
}

void refuse_other_run(const Json& kept, const Json& given, const std::string& folder,
                      bool is_finished) {
  if (kept.is_null() || given.is_null()) return;
  const Json old = json_get<Json>(kept, "settings", folder);
  std::vector<std::string> refused, adjusted;
  for (const auto& [key, value] : given.at("settings").items()) {
    if (!old.contains(key) || old.at(key) == value) continue;
    const bool may_change = !is_finished && is_in(kAdjustable, key);
    (may_change ? adjusted : refused).push_back(difference(key, old.at(key), value));
  }
  // Other settings may make other weights and examples of the same files.
  if (refused.empty()) {
    if (json_get_or<std::string>(kept, "start", folder, "") != given.at("start")) {
      refused.emplace_back("other weights to start from (model.init)");
    }
    if (json_get_or<std::string>(kept, "data", folder, "") != given.at("data")) {
      refused.emplace_back("other data");
    }
  }
  if (!refused.empty()) {
    throw Error(ExitCode::kExists, folder + " holds a " + (is_finished ? "finished " : "") +
                                       "training with " + joined(refused) +
                                       "; resume it with its own settings, or choose another "
                                       "run.output");
  }
  if (!adjusted.empty()) {
    spdlog::warn("{} goes on with other settings: it had {}", folder, joined(adjusted));
  }
}

}  // namespace trivium::learning
