// make_tiny_checkpoint FOLDER: the tests' random checkpoint.
#include "core/checkpoint/tiny_checkpoint.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  trivium::save_checkpoint(trivium::tiny_checkpoint(), argv[1]);
}
