// What rules call application protocols: those that are parsed, and those that are only known by name.
#pragma once

#include <span>
#include <string_view>

#include "inspection/app/transaction.h"

namespace weir::inspection::ast {

struct AppName {
  std::string_view name;  // "http"
  AppProtocol protocol;   // unknown: not parsed, rules on it are refused by name
};

/// All names that a rule may use.
std::span<const AppName> app_names();
/// That one, or null.
const AppName* find_app_name(std::string_view name);

}  // namespace weir::inspection::ast
