// Curves as TensorBoard reads them: a file of TFRecords, each an Event of TensorFlow's event.proto.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trivium::learning {

// CRC-32C (Castagnoli), and as TFRecords store it: rotated and moved, since a CRC over data that
// holds CRCs is weak.
uint32_t crc32c(std::string_view bytes);
uint32_t masked_crc32c(std::string_view bytes);

// The record's bytes: its length, the length's CRC, the data, the data's CRC.
std::string tf_record(std::string_view data);
// The data of the record that begins at `at`, which is moved behind it; nothing at the end, where
// the last record is cut, and where a CRC is wrong.
std::optional<std::string_view> read_tf_record(std::string_view bytes, size_t& at);

// An Event of scalars, and the step that an Event is of.
std::string scalar_event(double wall_time, int64_t step,
                         const std::vector<std::pair<std::string, double>>& values);
int64_t step_of_event(std::string_view event);

// The one file "events.out.tfevents.TIME.HOST" of a run's folder, which a run that goes on goes on
// with.
class EventFile {
 public:
  explicit EventFile(std::filesystem::path folder) : folder_(std::move(folder)) {}
  // Error kIo.
  void add(int64_t step, const std::vector<std::pair<std::string, double>>& values);
  // Drops the events after `step`, which a run that goes on from there writes again, and a last
  // record that a crash has cut. At step 0 the file goes: the run begins.
  void truncate_after(int64_t step);

 private:
  // The run's file, where it has one.
  std::optional<std::filesystem::path> find() const;

  std::filesystem::path folder_;
  std::filesystem::path path_;  // once it is known
};

}  // namespace trivium::learning
