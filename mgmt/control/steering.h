// What the af_xdp ports hand to the hub: tunnel traffic to their own addresses, and native VLANs.
//
// Attachments share rules, most often all of them one; a rule is there as long as an attachment wants it, and
// the kernel is told only when one comes or goes. Control thread only.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "dataplane/io/xdp_steering.h"
#include "mgmt/config/config.h"
#include "mgmt/model/model.h"

namespace weir::control {

class Steering {
 public:
  using Ports = std::map<dataplane::PortIndex, dataplane::XdpSteering*>;  // af_xdp ports only

  /// Both outlive it.
  Steering(const Ports& ports, const model::StartFacts& facts);

  /// Lets in what these attachments take. If the kernel refuses, all is steered as before.
  Status widen(const std::vector<const config::Attachment*>& coming);
  /// These no longer want it. What stays steered too long, should the kernel refuse, does no harm: workers
  /// know no tunnel for it.
  Status narrow(const std::vector<config::Attachment>& leaving);

 private:
  using Rules = std::map<dataplane::SteerRule, uint32_t>;  // how many attachments want it
  struct PortRules {
    dataplane::XdpSteering* steering;
    const model::PortFacts* facts;
    Rules rules;
  };
  static Status tell(const PortRules& port);

  std::vector<PortRules> ports_;
};

}  // namespace weir::control
