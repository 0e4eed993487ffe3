// Where a trainer's batches come from.
#pragma once

#include <vector>

#include "core/base/json.h"
#include "learning/model/batch.h"

namespace trivium::learning {

// An endless, seeded sequence of batches whose position can be saved and restored.
class ExampleStream {
 public:
  virtual ~ExampleStream() = default;
  virtual std::vector<EncodedExample> next_batch() = 0;
  // About how many examples a batch has, on average.
  virtual double mean_batch_size() const = 0;
  virtual Json state() const = 0;
  virtual void set_state(const Json& state) = 0;
};

}  // namespace trivium::learning
