#include "core/api/trivium.h"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>
#include <new>
#include <thread>
#include <utility>

#include "core/base/error.h"
#include "core/base/home.h"
#include "core/inference/loaded_model.h"

namespace trivium {
namespace {

// Runs `work` and turns what it throws into the one exception that leaves the library.
template <typename Work>
auto with_errors(Work&& work) -> decltype(work()) {
  try {
    return work();
  } catch (const Error& error) {
    throw GeneratorError(static_cast<int>(error.code()), error.what());
  } catch (const std::bad_alloc&) {
    throw GeneratorError(static_cast<int>(ExitCode::kInternal), "out of memory");
  } catch (const std::exception& error) {
    throw GeneratorError(static_cast<int>(ExitCode::kInternal),
                         std::string("internal error: ") + error.what());
  }
}

// The folder that holds this library, or the program that it is linked into.
std::filesystem::path library_folder() {
  Dl_info info = {};
  static const char here = 0;
  if (::dladdr(&here, &info) == 0) return std::filesystem::current_path();
  return std::filesystem::canonical(info.dli_fname).parent_path();
}

std::filesystem::path shipped_checkpoint() {
  std::filesystem::path home;
  try {
    home = home_folder(library_folder());
  } catch (const Error& error) {
    throw Error(error.code(),
                "no checkpoint is named, and none is shipped beside this library; name a "
                "checkpoint's folder, or set TRIVIUM_HOME to the folder that holds checkpoints/");
  }
  return home / "checkpoints" / "trivium-small";
}

std::filesystem::path named_checkpoint(const std::string& folder) {
  if (folder.find('\0') != std::string::npos) {
    throw Error(ExitCode::kUsage, "the name of the checkpoint's folder has a zero byte in it");
  }
  return folder;
}

ComputeType compute_type(Precision precision) {
  switch (precision) {
    case Precision::kFloat32:
      return ComputeType::kFloat32;
    case Precision::kBfloat16:
      return ComputeType::kBfloat16;
    case Precision::kInt8:
      break;
  }
  return ComputeType::kInt8;
}

EngineOptions engine_options(const LoadSettings& settings) {
  EngineOptions options;
  options.type = compute_type(settings.precision);
  options.threads = settings.threads;
  if (settings.threads == 0) {
    options.threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  }
  return options;
}

SearchOptions search_options(const AnswerSettings& settings, LoadedModel& model) {
  if (settings.sample && settings.num_beams > 1) {
    throw Error(ExitCode::kUsage, "sampling goes without beams; leave num_beams 0");
  }
  const int64_t positions = model.config().max_position_embeddings;
  if (settings.max_length < 0 || settings.max_length > positions) {
    throw Error(ExitCode::kUsage, "max_length is not between 0 and the model's " +
                                      std::to_string(positions) + " positions");
  }
  if (settings.num_beams < 0 || settings.top_k < 0 || !(settings.temperature > 0) ||
      !(settings.top_p > 0 && settings.top_p <= 1)) {
    throw Error(ExitCode::kUsage,
                "num_beams and top_k may not be negative, temperature must be positive, and top_p "
                "between 0 and 1");
  }
  if (!settings.sample && (settings.temperature != 1 || settings.top_k != 0 ||
                           settings.top_p != 1 || settings.seed != 0)) {
    throw Error(ExitCode::kUsage,
                "temperature, top_k, top_p and seed are for sampling alone; set sample");
  }
  SearchOptions search = model.generator().default_search();
  if (settings.num_beams > 0) search.num_beams = settings.num_beams;
  if (settings.max_length > 0) search.max_length = settings.max_length;
  if (settings.sample) search.num_beams = 1;
  search.sample = settings.sample;
  search.temperature = settings.temperature;
  search.top_k = settings.top_k;
  search.top_p = settings.top_p;
  search.seed = settings.seed;
  return search;
}

Generator::Route route_for_caller(const std::string& task, const TaskRoute& route) {
  return {task, route.encoder, route.decoder};
}

}  // namespace

GeneratorError::GeneratorError(int code, const std::string& message)
    : std::runtime_error(message), code_(code) {}
GeneratorError::~GeneratorError() = default;

struct Generator::State {
  State(const std::filesystem::path& checkpoint, const EngineOptions& engine)
      : model(checkpoint, engine) {}
  LoadedModel model;
};

Generator::Generator(std::unique_ptr<State> state) : state_(std::move(state)) {}
Generator::~Generator() = default;
Generator::Generator(Generator&& other) noexcept = default;
Generator& Generator::operator=(Generator&& other) noexcept = default;

Generator Generator::load(const std::string& folder, const LoadSettings& settings) {
  return with_errors([&] {
    const std::filesystem::path checkpoint =
        folder.empty() ? shipped_checkpoint() : named_checkpoint(folder);
    return Generator(std::make_unique<State>(checkpoint, engine_options(settings)));
  });
}

std::vector<std::string> Generator::tasks() const {
  return with_errors([&] { return state_->model.tasks().names(); });
}

std::vector<Generator::Answer> Generator::generate(const std::vector<std::string>& prompts,
                                                   const std::string& task,
                                                   const AnswerSettings& settings) {
  return with_errors([&] {
    std::vector<Prompt> resolved;
    std::vector<Answer> answers(prompts.size());
    for (size_t i = 0; i < prompts.size(); ++i) {
      const ResolvedPrompt prompt = state_->model.resolve(task, prompts[i]);
      answers[i].task = prompt.task;
      answers[i].fits = prompt.fits;
      resolved.push_back(prompt.prompt);
    }
    const SearchOptions search = search_options(settings, state_->model);
    const auto found = state_->model.generator().generate(resolved, search);
    for (size_t i = 0; i < found.size(); ++i) {
      answers[i].text = found[i].text;
      answers[i].score = found[i].score;
      answers[i].finished = found[i].finished;
      answers[i].truncated = found[i].truncated;
    }
    return answers;
  });
}

std::vector<double> Generator::score(const std::string& prompt,
                                     const std::vector<std::string>& options,
                                     const std::string& task) {
  return with_errors([&] {
    if (options.empty()) {
      throw Error(ExitCode::kUsage, "there are no options to score; name one at least");
    }
    return state_->model.generator()
        .score({state_->model.resolve(task, prompt).prompt}, {options})
        .at(0)
        .log_likelihoods;
  });
}

Generator::Route Generator::route_of_task(const std::string& task) const {
  return with_errors([&] {
    const size_t row = state_->model.tasks().index_of(task);
    return route_for_caller(task, state_->model.route(static_cast<int64_t>(row)));
  });
}

Generator::Route Generator::route_of_prompt(const std::string& prompt) const {
  return with_errors([&] {
    const ResolvedPrompt resolved = state_->model.resolve("", prompt);
    return route_for_caller(resolved.task, resolved.prompt.route);
  });
}

std::vector<std::vector<float>> Generator::embed(const std::vector<std::string>& texts,
                                                 const std::string& task) {
  return with_errors([&] {
    const LoadedModel& model = state_->model;
    const int64_t row = task.empty() ? -1 : static_cast<int64_t>(model.tasks().index_of(task));
    std::vector<Prompt> prompts;
    for (const std::string& text : texts) prompts.push_back({text, model.route(row)});
    return state_->model.generator().sentence_vectors(prompts);
  });
}

}  // namespace trivium
