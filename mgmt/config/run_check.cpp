// The check with the real rule parser; apart from check.cpp so that tests of the latter need not link that.
#include <ostream>

#include "mgmt/config/check.h"

namespace weir::config {

CheckReport check_config(const std::string& path) { return check_config(path, &inspection::check_rules); }

int run_check(const std::string& config_path, std::ostream& out, std::ostream& err) {
  return print_report(check_config(config_path), out, err);
}

}  // namespace weir::config
