#include "core/api/trivium_c.h"

#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/api/trivium.h"
#include "core/base/error.h"

namespace {

using trivium::AnswerSettings;
using trivium::ExitCode;
using trivium::Generator;
using trivium::GeneratorError;
using trivium::LoadSettings;
using trivium::Precision;

thread_local std::string error_message;

// Runs `work` and turns what it throws into a code. No exception may pass into C.
template <typename Work>
int code_of(Work&& work) {
  const auto failed = [](int code, const char* message) {
    try {
      error_message = message;
    } catch (const std::exception&) {
      error_message.clear();  // there is no memory for the message either
    }
    return code;
  };
  try {
    work();
    return 0;
  } catch (const GeneratorError& error) {
    return failed(error.code(), error.what());
  } catch (const std::exception& error) {
    return failed(static_cast<int>(ExitCode::kInternal), error.what());
  }
}

std::string string_of(const trivium_text& text) {
  return text.size == 0 ? std::string() : std::string(text.data, text.size);
}

std::vector<std::string> strings_of(const trivium_text* texts, size_t count) {
  std::vector<std::string> strings;
  for (size_t i = 0; i < count; ++i) strings.push_back(string_of(texts[i]));
  return strings;
}

trivium_text text_of(const std::string& text) { return {text.data(), text.size()}; }

std::vector<trivium_layer> layers_of(const std::vector<std::vector<float>>& stack) {
  std::vector<trivium_layer> layers;
  for (const std::vector<float>& weights : stack) {
    layers.push_back({weights.data(), weights.size()});
  }
  return layers;
}

Precision precision_of(int32_t precision) {
  switch (precision) {
    case TRIVIUM_FLOAT32:
      return Precision::kFloat32;
    case TRIVIUM_BFLOAT16:
      return Precision::kBfloat16;
    case TRIVIUM_INT8:
      return Precision::kInt8;
    default:
      throw GeneratorError(static_cast<int>(ExitCode::kUsage),
                           "no precision has the number " + std::to_string(precision) +
                               "; 0 is float32, 1 bfloat16, 2 int8");
  }
}

LoadSettings load_settings(const trivium_load_settings* settings) {
  if (settings == nullptr) return {};
  return {settings->threads, precision_of(settings->precision)};
}

AnswerSettings answer_settings(const trivium_answer_settings* settings) {
  if (settings == nullptr) return {};
  AnswerSettings result;
  result.num_beams = settings->num_beams;
  result.max_length = settings->max_length;
  result.sample = settings->sample != 0;
  result.temperature = settings->temperature;
  result.top_k = settings->top_k;
  result.top_p = settings->top_p;
  result.seed = settings->seed;
  return result;
}

}  // namespace

// With what the last call of each kind gave, so that it lasts until the next.
struct trivium_generator {
  explicit trivium_generator(Generator loaded) : generator(std::move(loaded)) {}

  Generator generator;
  std::vector<std::string> names;
  std::vector<trivium_text> name_texts;
  std::vector<Generator::Answer> answers;
  std::vector<trivium_answer> answer_views;
  std::vector<double> scores;
  Generator::Route route;
  std::vector<trivium_layer> encoder, decoder;
  trivium_route route_view = {};
  std::vector<float> vectors;

  const trivium_route* keep(Generator::Route given) {
    route = std::move(given);
    encoder = layers_of(route.encoder);
    decoder = layers_of(route.decoder);
    route_view = {text_of(route.task), encoder.data(), decoder.data(), encoder.size(),
                  decoder.size()};
    return &route_view;
  }
};

const char* trivium_error_message(void) { return error_message.c_str(); }

int trivium_load(trivium_text folder, const trivium_load_settings* settings,
                 trivium_generator** generator) {
  return code_of([&] {
    *generator = std::make_unique<trivium_generator>(
                     Generator::load(string_of(folder), load_settings(settings)))
                     .release();
  });
}

void trivium_free(trivium_generator* generator) { delete generator; }

int trivium_tasks(trivium_generator* generator, const trivium_text** names, size_t* count) {
  return code_of([&] {
    generator->names = generator->generator.tasks();
    generator->name_texts.clear();
    for (const std::string& name : generator->names) {
      generator->name_texts.push_back(text_of(name));
    }
    *names = generator->name_texts.data();
    *count = generator->name_texts.size();
  });
}

int trivium_generate(trivium_generator* generator, const trivium_text* prompts, size_t count,
                     trivium_text task, const trivium_answer_settings* settings,
                     const trivium_answer** answers) {
  return code_of([&] {
    generator->answers = generator->generator.generate(strings_of(prompts, count), string_of(task),
                                                       answer_settings(settings));
    generator->answer_views.clear();
    for (const Generator::Answer& answer : generator->answers) {
      generator->answer_views.push_back({text_of(answer.text), text_of(answer.task), answer.score,
                                         answer.finished, answer.truncated, answer.fits});
    }
    *answers = generator->answer_views.data();
  });
}

int trivium_score(trivium_generator* generator, trivium_text prompt, const trivium_text* options,
                  size_t count, trivium_text task, const double** scores) {
  return code_of([&] {
    generator->scores =
        generator->generator.score(string_of(prompt), strings_of(options, count), string_of(task));
    *scores = generator->scores.data();
  });
}

int trivium_route_of_task(trivium_generator* generator, trivium_text task,
                          const trivium_route** route) {
  return code_of(
      [&] { *route = generator->keep(generator->generator.route_of_task(string_of(task))); });
}

int trivium_route_of_prompt(trivium_generator* generator, trivium_text prompt,
                            const trivium_route** route) {
  return code_of(
      [&] { *route = generator->keep(generator->generator.route_of_prompt(string_of(prompt))); });
}

int trivium_embed(trivium_generator* generator, const trivium_text* texts, size_t count,
                  trivium_text task, const float** vectors, size_t* width) {
  return code_of([&] {
    const auto rows = generator->generator.embed(strings_of(texts, count), string_of(task));
    generator->vectors.clear();
    for (const std::vector<float>& row : rows) {
      generator->vectors.insert(generator->vectors.end(), row.begin(), row.end());
    }
    *vectors = generator->vectors.data();
    *width = rows.empty() ? 0 : rows[0].size();
  });
}
