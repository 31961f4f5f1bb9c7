// The configuration's words in the data plane's: settings of EAL, ports and workers. Pure.
#pragma once

#include "dataplane/io/eal.h"
#include "dataplane/io/port.h"
#include "dataplane/worker/dataplane.h"
#include "inspection/events/eve.h"
#include "inspection/magic/magic_desk.h"
#include "mgmt/config/config.h"

namespace weir::daemon {

dataplane::EalSettings eal_settings(const config::Config& config, uint32_t control_core);
dataplane::PortSpec port_spec(const config::Port& port);
inspection::EveOptions eve_options(const config::Events& events);
dataplane::DataplaneSettings dataplane_settings(const config::Config& config);
inspection::MagicSettings magic_settings(const config::Limits& limits);

}  // namespace weir::daemon
