// Where a trainer's batches come from.
#pragma once

#include <string>
#include <vector>

#include "learning/model/batch.h"

namespace trivium::learning {

// An endless, seeded sequence of batches whose position can be saved and restored.
class ExampleStream {
 public:
  virtual ~ExampleStream() = default;
  virtual std::vector<EncodedExample> next_batch() = 0;
  virtual std::string state() const = 0;
  virtual void set_state(const std::string& state) = 0;
};

}  // namespace trivium::learning
