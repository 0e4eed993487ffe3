// What a training was begun with, as its snapshots keep it: --resume goes on with that training and
// with no other.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/json.h"
#include "core/config/settings.h"
#include "learning/model/batch.h"
#include "learning/model/encoder_classifier.h"
#include "learning/storage/named_tensors.h"

namespace trivium::learning {

// A checksum of a row of byte strings, which tells ("ab", "c") from ("a", "bc").
class Fingerprint {
 public:
  void add(std::string_view bytes);
  std::string text() const;  // 16 hexadecimal digits

 private:
  std::string checksums_;
};

std::string fingerprint_of(const NamedTensors& tensors);
// Of examples and the names of their tasks.
std::string fingerprint_of(const std::vector<EncodedExample>& examples,
                           const std::vector<std::string>& tasks);
std::string fingerprint_of(const std::vector<LabelledExample>& examples,
                           const std::vector<std::string>& tasks);
std::string fingerprint_of(const std::vector<std::string>& texts);

// The settings that decide what a training computes, with fingerprints of the weights that it
// begins with and of its data in place of the paths that name them. Where it writes, how often it
// reports, and its threads are left out.
Json run_record(Settings& settings, const std::string& start, const std::string& data);

// Error kExists, which names each difference, where the record that `folder`'s snapshot keeps is
// not that of the training that is to go on. An unfinished one may go on with other learning rates,
// clipping and skipped steps, since that is what helps one that diverged: a warning names them. A
// record that is null, of before there were any, fits all.
void refuse_other_run(const Json& kept, const Json& given, const std::string& folder,
                      bool is_finished);

}  // namespace trivium::learning
