// The main function of a micro-benchmark, for those that have something to start before.
#pragma once

namespace weir::bench {

/// Runs the cases that Google Benchmark's options ask for. Unless they say otherwise: five repetitions of a
/// tenth of a second, of which median and MAD are shown. Returns the process's exit code: 1 if no case
/// matched or a case gave up with SkipWithError, which Google Benchmark itself takes for a success; one that
/// only misses the corpus does not count.
int run_cases(int argc, char** argv);

}  // namespace weir::bench
