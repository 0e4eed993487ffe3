#include "core/base/error.h"

namespace trivium {

const char* name_of(ExitCode code) {
  switch (code) {
    case ExitCode::kOk:
      return "ok";
    case ExitCode::kInternal:
      break;
    case ExitCode::kUsage:
      return "usage";
    case ExitCode::kConfig:
      return "config";
    case ExitCode::kBadData:
      return "bad_data";
    case ExitCode::kMissingInput:
      return "missing_input";
    case ExitCode::kUnavailable:
      return "unavailable";
    case ExitCode::kDiverged:
      return "diverged";
    case ExitCode::kExists:
      return "exists";
    case ExitCode::kIo:
      return "io";
    case ExitCode::kStopped:
      return "stopped";
    case ExitCode::kBadModel:
      return "bad_model";
    case ExitCode::kInterrupted:
      return "interrupted";
  }
  return "internal";
}

}  // namespace trivium
