/* answer_c FOLDER TASK: the same in C. */
#include <stdio.h>
#include <string.h>
#include <trivium/trivium_c.h>

static trivium_text text_of(const char* text) {
  const trivium_text result = {text, strlen(text)};
  return result;
}

int main(int argc, char** argv) {
  const trivium_text prompt = text_of("a gorgeous, witty film");
  const trivium_answer* answers = NULL;
  trivium_generator* generator = NULL;
  if (argc != 3) return 2;
  int code = trivium_load(text_of(argv[1]), NULL, &generator);
  if (code == 0) {
    code = trivium_generate(generator, &prompt, 1, text_of(argv[2]), NULL, &answers);
  }
  if (code != 0) {
    printf("code %d: %s\n", code, trivium_error_message());
  } else {
    printf("%s: %.*s\n", prompt.data, (int)answers[0].text.size, answers[0].text.data);
  }
  trivium_free(generator);
  return 0;
}
