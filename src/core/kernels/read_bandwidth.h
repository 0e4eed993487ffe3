// How fast threads read memory: the limit of decoding, which reads every weight once a step.
#pragma once

#include <cstdint>

#include "core/base/thread_pool.h"

namespace trivium {

// Bytes a second that the pool's threads together read of a buffer of `bytes`, over and over: from
// the caches where it fits, else from memory. The best of a dozen rounds.
double read_bandwidth(ThreadPool& threads, int64_t bytes);

}  // namespace trivium
