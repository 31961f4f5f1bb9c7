// Address translation as workers need it. Made anew as a whole when the rules change; a pool of the same
// addresses and ports stays the one that it is, with what is taken of it.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "dataplane/nat/nat_table.h"
#include "mgmt/config/config.h"

namespace weir::model {

struct NatInput {
  std::vector<const config::Nat*> rules;     // in order; all that they name exists
  std::vector<dataplane::DomainId> domains;  // all there are
  uint16_t workers = 1;
  std::function<dataplane::DomainId(std::string_view name)> domain;
};

/// What follows on `before`, null for none: that itself if nothing has changed; null if there is no rule.
std::shared_ptr<const dataplane::NatTable> build_nat(
    const NatInput& input, const std::shared_ptr<const dataplane::NatTable>& before);

}  // namespace weir::model
