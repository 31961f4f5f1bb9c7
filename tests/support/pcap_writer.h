// Writes frames into a capture file that tshark and scapy read (classic pcap, Ethernet, nanoseconds).
#pragma once

#include <cstdint>
#include <fstream>
#include <span>
#include <string>

namespace weir::test {

class PcapWriter {
 public:
  /// Throws std::runtime_error if the file cannot be written.
  explicit PcapWriter(const std::string& path);
  void write(std::span<const uint8_t> frame, uint64_t time_ns = 0);

 private:
  std::ofstream file_;
};

}  // namespace weir::test
