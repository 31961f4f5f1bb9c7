// EAL for tests: it can start once per process, so the first test that needs it starts it and all share it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "dataplane/io/eal.h"

namespace weir::test {

struct SharedEal {
  rte_mempool* pool = nullptr;
  std::string error;  // why there is no pool
};

/// Starts EAL in ordinary memory on core 0 with one worker and a pool of 16,384 buffers. EAL stops
/// when the process ends.
const SharedEal& shared_eal(dataplane::Hugepages hugepages);

/// Runs `work` in a forked child, so that EAL may start there whatever else happened; returns what `work`
/// returned.
std::string in_child(const std::function<std::string()>& work);

}  // namespace weir::test
