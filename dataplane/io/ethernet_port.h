// What all ports share: a DPDK device from creation to removal, and the sharing out of its queues over the
// workers. Internal to this folder.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/io/port.h"

namespace weir::dataplane {

/// How to make and set up a device.
struct DeviceSetup {
  std::string device;                 // DPDK's name of the device
  std::optional<std::string> vdev{};  // arguments with which it is created; absent: it is there already
  bool remove_vdev = false;  // without `vdev`: it is a virtual device all the same, to be removed at the end
  uint16_t rx_queues = 1;
  uint16_t tx_queues = 1;
  uint16_t rx_descriptors = 1024;  // wishes, adjusted to what the driver can do
  uint16_t tx_descriptors = 1024;
  uint32_t mtu = 0;                // told to the driver; 0: not
  bool spread_by_hash = false;     // RSS over the rx queues
  bool offload_checksums = false;  // of UDP, where the device can
};

/// A configured and started DPDK device; destruction stops, closes and removes it.
class EthernetDevice {
 public:
  static Result<std::unique_ptr<EthernetDevice>> open(const DeviceSetup& setup, rte_mempool* pool);
  ~EthernetDevice();
  EthernetDevice(const EthernetDevice&) = delete;
  EthernetDevice& operator=(const EthernetDevice&) = delete;

  uint16_t id() const { return id_; }
  uint16_t rx_queues() const { return rx_queues_; }
  uint16_t tx_queues() const { return tx_queues_; }
  net::Mac mac() const;
  bool tx_checksums() const { return tx_checksums_; }
  bool link_up() const;

 private:
  EthernetDevice() = default;
  Status configure(const DeviceSetup& setup, rte_mempool* pool);

  std::string vdev_;  // name to remove; empty: not ours to remove
  uint16_t id_ = 0;
  uint16_t rx_queues_ = 0;
  uint16_t tx_queues_ = 0;
  bool opened_ = false;
  bool tx_checksums_ = false;
};

/// A name for a virtual device of `driver` that no other port of this process has.
std::string unique_device_name(const std::string& driver);

/// Virtual devices take their arguments as "key=value,key=value": such a value cannot hold these.
Status check_device_argument(const std::string& value);

/// The queue arithmetic of Port, over an EthernetDevice.
class EthernetPort : public Port {
 public:
  EthernetPort(std::string name, unsigned workers, std::unique_ptr<EthernetDevice> device, uint16_t mtu)
      : name_(std::move(name)),
        workers_(workers),
        mtu_(mtu),
        mac_(device->mac()),
        device_(std::move(device)) {}

  const std::string& name() const override { return name_; }
  net::Mac mac() const override { return mac_; }
  uint16_t mtu() const override { return mtu_; }
  bool tx_checksums() const override { return device_->tx_checksums(); }
  bool link_up() const override { return device_->link_up(); }
  uint16_t device() const override { return device_->id(); }
  uint32_t kernel_ifindex() const override { return 0; }
  std::vector<uint16_t> rx_queues(WorkerIndex worker) const override;
  uint16_t tx_queue(WorkerIndex worker) const override;
  bool tx_shared() const override { return workers_ > device_->tx_queues(); }

 protected:
  void close_device() { device_.reset(); }

 private:
  std::string name_;
  unsigned workers_;
  uint16_t mtu_;
  net::Mac mac_;
  std::unique_ptr<EthernetDevice> device_;
};

/// Changes a kernel interface's MTU for as long as it lives.
class InterfaceMtu {
 public:
  InterfaceMtu() = default;
  InterfaceMtu(const InterfaceMtu&) = delete;
  InterfaceMtu& operator=(const InterfaceMtu&) = delete;
  ~InterfaceMtu();
  /// Sets `wanted`; `current` is put back later. Nothing happens if they are equal.
  Status change(const std::string& interface, uint32_t current, uint32_t wanted);

 private:
  std::string interface_;
  uint32_t before_ = 0;
};

// One function per kind of port; Port::open() calls the right one.
Result<std::unique_ptr<Port>> open_af_xdp(const PortSpec& spec, unsigned workers, rte_mempool* pool);
Result<std::unique_ptr<Port>> open_af_packet(const PortSpec& spec, unsigned workers, rte_mempool* pool);
Result<std::unique_ptr<Port>> open_tap(const PortSpec& spec, unsigned workers, rte_mempool* pool);

}  // namespace weir::dataplane
