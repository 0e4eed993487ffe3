// How the process keeps memory that it has freed.
#pragma once

namespace trivium {

// Tells the C library to keep freed memory instead of giving it back to the system. A training
// step frees and allocates gigabytes of tensors; by default large ones are mapped anew every time,
// and each page then costs a fault and a zeroing. Where the C library has no such setting, nothing
// happens.
void keep_freed_memory();

}  // namespace trivium
