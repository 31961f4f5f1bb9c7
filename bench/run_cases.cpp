#include "bench/run_cases.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace weir::bench {

namespace {

/// A case that begins its sentence so needs what not everybody has, and is no failure.
constexpr std::string_view kNotHere[] = {"no corpus", "no second core"};

bool is_not_here(std::string_view message) {
  return std::any_of(std::begin(kNotHere), std::end(kNotHere),
                     [&](std::string_view words) { return message.starts_with(words); });
}

/// Passes everything on, and remembers failures.
class WatchingReporter : public benchmark::BenchmarkReporter {
 public:
  explicit WatchingReporter(BenchmarkReporter& shown) : shown_(shown) {}
  bool failed() const { return failed_; }

  bool ReportContext(const Context& context) override { return shown_.ReportContext(context); }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) failed_ |= run.error_occurred && !is_not_here(run.error_message);
    shown_.ReportRuns(runs);
  }
  void Finalize() override { shown_.Finalize(); }

 private:
  BenchmarkReporter& shown_;
  bool failed_ = false;
};

/// True if something ran and nothing failed.
bool run_once(benchmark::BenchmarkReporter& shown) {
  WatchingReporter reporter(shown);
  return benchmark::RunSpecifiedBenchmarks(&reporter) != 0 && !reporter.failed();
}

/// Each line of the standard input is a time in seconds: the cases run once for so long, and a line of our
/// own follows their report. What a case has built stays for its next round.
bool run_rounds(char* program) {
  bool fine = true;
  for (std::string seconds; std::getline(std::cin, seconds);) {
    std::string time = "--benchmark_min_time=" + seconds;
    char* options[] = {program, time.data(), nullptr};
    int count = 2;
    benchmark::Initialize(&count, options);
    benchmark::JSONReporter report;
    fine &= run_once(report);
    std::cout << "-- end of round" << std::endl;
  }
  return fine;
}

}  // namespace

int run_cases(int argc, char** argv) {
  static char repetitions[] = "--benchmark_repetitions=5";
  static char time[] = "--benchmark_min_time=0.1";
  static char aggregates[] = "--benchmark_report_aggregates_only=true";
  std::vector<char*> options{argv[0], repetitions, time, aggregates};  // the later one of two counts
  const auto is_rounds = [](const char* option) { return std::string_view(option) == "--rounds"; };
  const bool rounds = std::any_of(argv + 1, argv + argc, is_rounds);
  std::copy_if(argv + 1, argv + argc, std::back_inserter(options), [&](char* o) { return !is_rounds(o); });
  int count = static_cast<int>(options.size());
  options.push_back(nullptr);
  benchmark::Initialize(&count, options.data());
  if (benchmark::ReportUnrecognizedArguments(count, options.data())) return 1;
  return (rounds ? run_rounds(argv[0]) : run_once(*benchmark::CreateDefaultDisplayReporter())) ? 0 : 1;
}

}  // namespace weir::bench
