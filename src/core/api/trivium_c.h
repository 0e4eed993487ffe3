/* Trivium's library in C, for other languages: trivium.h as plain functions. The Python package
   (python/) is made of it.

   A function returns 0, or a code as the program's exit codes (GeneratorError::code() of
   trivium.h); trivium_error_message() then says in one line what is wrong and what to do. What a
   function gives through a pointer to const belongs to the generator, and is there until the next
   call with that generator. One call with a generator at a time; several generators may work side
   by side. */
#pragma once

/* C has no other headers and no "using". */
/* NOLINTBEGIN(modernize-deprecated-headers,modernize-use-using) */
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* UTF-8; zero bytes in it are text, and none need end it. */
typedef struct {
  const char* data; /* null only where size is 0 */
  size_t size;
} trivium_text;

/* The numbers that the weights are kept in for computing. */
enum { TRIVIUM_FLOAT32 = 0, TRIVIUM_BFLOAT16 = 1, TRIVIUM_INT8 = 2 };

typedef struct {
  int32_t threads;   /* 0: one a core */
  int32_t precision; /* TRIVIUM_FLOAT32 ... */
} trivium_load_settings;

/* How to search for an answer: AnswerSettings of trivium.h, which has each one's meaning. */
typedef struct {
  int32_t num_beams;
  int32_t max_length;
  int32_t sample; /* 0: no */
  int32_t top_k;
  double temperature;
  double top_p;
  uint64_t seed;
} trivium_answer_settings;

typedef struct {
  trivium_text text;
  trivium_text task;
  double score;
  int32_t finished, truncated, fits; /* each 0 or 1 */
} trivium_answer;

/* Weights over the experts of one layer; an ordinary layer has one weight, 1. */
typedef struct {
  const float* weights; /* [num_experts] */
  size_t num_experts;
} trivium_layer;

typedef struct {
  trivium_text task;
  const trivium_layer *encoder, *decoder; /* [encoder_layers], [decoder_layers] */
  size_t encoder_layers, decoder_layers;
} trivium_route;

typedef struct trivium_generator trivium_generator;

/* Of the last call in this thread that failed. */
const char* trivium_error_message(void);

/* The checkpoint in `folder`, or, where that is empty, the one that trivium ships. `settings` may
   be null: one thread a core, float32. trivium_free() ends what it makes; null is free already. */
int trivium_load(trivium_text folder, const trivium_load_settings* settings,
                 trivium_generator** generator);
void trivium_free(trivium_generator* generator);

/* The tasks that the checkpoint knows: names [count]. */
int trivium_tasks(trivium_generator* generator, const trivium_text** names, size_t* count);

/* An answer for each prompt: answers [count]. An empty `task` stands for the nearest known task of
   each; `settings` may be null, for what the checkpoint asks for. */
int trivium_generate(trivium_generator* generator, const trivium_text* prompts, size_t count,
                     trivium_text task, const trivium_answer_settings* settings,
                     const trivium_answer** answers);

/* The log-probability of each option as the prompt's answer: scores [count]. */
int trivium_score(trivium_generator* generator, trivium_text prompt, const trivium_text* options,
                  size_t count, trivium_text task, const double** scores);

/* The route of a task; the route that a prompt would take. */
int trivium_route_of_task(trivium_generator* generator, trivium_text task,
                          const trivium_route** route);
int trivium_route_of_prompt(trivium_generator* generator, trivium_text prompt,
                            const trivium_route** route);

/* The vector of each text, of length 1: vectors [count, width]. An empty `task` stands for the
   route of a prompt without a task. */
int trivium_embed(trivium_generator* generator, const trivium_text* texts, size_t count,
                  trivium_text task, const float** vectors, size_t* width);

#ifdef __cplusplus
}
#endif
/* NOLINTEND(modernize-deprecated-headers,modernize-use-using) */
