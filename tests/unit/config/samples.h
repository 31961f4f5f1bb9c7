// Configurations to test with, and a way to say where in them the problems are.
#pragma once

#include <string>
#include <vector>

#include "mgmt/config/reader.h"

namespace weir::config::test {

/// Text that is right as it is, to put other text behind. Each contains the ones before.
enum class Base {
  nothing,
  machine,  // a worker, port wan0 with 198.18.0.1/24
  domains,  // prod, shared, lone
  spokes,   // cloud-a in prod: 10.1.0.1/24 and 2001:db8:1::1/64; cloud-b in shared: 10.2.0.1/24
  policy,   // routes, a connection, profile default
};
std::string text_of(Base base);

/// A right configuration that sets every key that a file can set together with the others, none to its
/// default.
std::string full_text();

/// One mistake, or several. In `bad` each `@@` marks the place of a problem, and `problems` has as many
/// parts, in the order of the file, each a part of `KEY: message`.
struct ErrorRow {
  const char* name;
  Base base;
  std::string bad;
  std::vector<std::string> problems;
  std::string good;  // the same without the mistake
};
std::ostream& operator<<(std::ostream& out, const ErrorRow& row);

/// Checks both: `bad` yields exactly these problems at exactly these places, `good` none.
void expect_row(const ErrorRow& row);

/// The problems of a text as lines; empty if it is right.
std::string problems_of(const std::string& text);
/// The configuration; the test fails if it has problems.
Config read_good(const std::string& text);

std::string read_file(const std::string& path);
void replace(std::string& text, const std::string& what, const std::string& with);

}  // namespace weir::config::test
