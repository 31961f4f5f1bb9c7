// What stands against rules of address translation by their values: that they overlap, that no packet would
// come back, and the like. Used for files and for changes of the running hub alike, so that both refuse the
// same with the same words. Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "mgmt/config/config.h"

namespace weir::config {

struct NatMisfit {
  static constexpr size_t kWhole = SIZE_MAX;
  size_t rule = 0;          // place in the list of rules
  std::string_view key;     // of the key table; "nat[]": the rule as a whole
  size_t element = kWhole;  // of that key's list
  std::string message;
};

/// What the rules are judged by.
struct NatSurroundings {
  uint16_t workers = 1;
  std::vector<std::string> domains;
  std::vector<const Attachment*> attachments;
  /// Is there a route of the domain for all of the prefix, by a gateway or otherwise?
  std::function<bool(const std::string& domain, const net::Prefix& prefix)> has_route;
  /// Has the rule's key a value that can be used? False: what is wrong with it was told already.
  std::function<bool(size_t rule, std::string_view key)> usable;
  /// Is there a value that cannot be used?
  std::function<bool(size_t rule, std::string_view key)> is_bad;
  /// " (line 12)" of a rule's key, or nothing.
  std::function<std::string(size_t rule, std::string_view key, size_t element)> place;
};

/// `told`: of each misfit; false: enough.
void find_nat_misfits(const std::vector<const Nat*>& rules, const NatSurroundings& around,
                      const std::function<bool(NatMisfit)>& told);

}  // namespace weir::config
