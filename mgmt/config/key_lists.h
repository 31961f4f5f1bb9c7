// The parts that keys() is put together from, in its order. Internal to mgmt/config.
#pragma once

#include "mgmt/config/key_table.h"

namespace weir::config {

std::span<const KeySpec> machine_keys();    // keys_machine.cpp
std::span<const KeySpec> operation_keys();  // keys_operation.cpp
std::span<const KeySpec> network_keys();    // keys_network.cpp
std::span<const KeySpec> policy_keys();     // keys_policy.cpp
std::span<const KeySpec> nat_keys();        // keys_nat.cpp

}  // namespace weir::config
