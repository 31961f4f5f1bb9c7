// Ports: Ethernet devices that DPDK drives, opened from a description and closed without a trace.
//
// Control thread opens and closes; a worker receives and sends on its own queue only. No port is made
// promiscuous: the hub's MAC is the device's own, so the device's filter lets through what is the hub's, and
// ARP is broadcast.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/core/ids.h"
#include "dataplane/io/buffers.h"
#include "dataplane/net/address.h"
#include "dataplane/net/result.h"

struct rte_mempool;
struct rte_mbuf;

namespace weir::dataplane {

struct PortSpec {
  std::string name{};
  PortKind kind = PortKind::null;
  std::string interface {
  };  // af_xdp, af_packet; the kernel must not use an af_packet interface's addresses itself. tap: to be made
  std::string pci{};
  std::string rx_pcap{}, tx_pcap{};
  bool rx_loop = false;  // pcap, without tx_pcap: rx_pcap's packets come again and again
  uint32_t mtu = 0;      // 0: leave it. Else also set on the kernel's interface, and put back at close
  std::optional<net::Mac>
      mac{};  // pci: to be given to the device; absent: it keeps its own. tap: the hub's end
  /// af_xdp: the compiled XDP object to attach (see xdp_steering.h).
  std::string xdp_object{};
};

/// An open device. One rx queue and one tx queue per worker where the device has as many; on af_xdp one
/// socket per hardware queue, shared out over the workers.
class Port {
 public:
  /// `pool` has the port's buffers (af_xdp binds its UMEM to it) and outlives the port. On af_xdp a stale
  /// program of a dead hub is removed first (XdpSteering::remove_stale). Fails with a sentence that says what
  /// to do: no such interface, the ethtool -L line for more queues than can be bound, permission, driver's
  /// refusal.
  static Result<std::unique_ptr<Port>> open(const PortSpec& spec, unsigned workers, rte_mempool* pool);
  virtual ~Port() = default;  // stops and closes the device, detaches what was attached

  virtual const std::string& name() const = 0;
  virtual net::Mac mac() const = 0;
  virtual uint16_t mtu() const = 0;             // at opening; never more than the buffers hold
  virtual bool tx_checksums() const = 0;        // the device fills in UDP checksums when asked
  virtual bool link_up() const = 0;             // control thread; asks the kernel or the driver
  virtual uint16_t device() const = 0;          // DPDK's port id
  virtual uint32_t kernel_ifindex() const = 0;  // 0 if the kernel does not know it

  /// (rx queue numbers that `worker` polls; its tx queue number.)
  virtual std::vector<uint16_t> rx_queues(WorkerIndex worker) const = 0;
  virtual uint16_t tx_queue(WorkerIndex worker) const = 0;
  /// Two workers share a tx queue and have to take turns (fewer queues than workers).
  virtual bool tx_shared() const = 0;
};

}  // namespace weir::dataplane
