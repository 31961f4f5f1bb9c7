// EAL for tests: it can start once per process, so the first test that needs it starts it and all share it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "dataplane/io/eal.h"

namespace weir::test {

/// Starts EAL with 128 MiB on core 0 for control and one worker, if it does not run yet; it stops when the
/// process ends. Returns why it does not start, or "".
const std::string& shared_eal(dataplane::Hugepages hugepages);

/// Runs `work` in a forked child, so that EAL may start there whatever else happened; returns what `work`
/// returned.
std::string in_child(const std::function<std::string()>& work);

}  // namespace weir::test
