// Frames out of a capture file: pcap and pcapng, through libpcap. Offline tool and tests; one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "dataplane/net/result.h"

struct pcap;

namespace weir::inspection::offline {

struct Frame {
  std::span<const uint8_t> bytes;  // valid until the next one is read
  uint32_t wire_length = 0;        // before the capture cut it
  uint64_t time_ns = 0;            // since 1970
  uint64_t number = 0;             // from 1
};

class Capture {
 public:
  /// Opens a file for reading; fails with `io` and the reader's own words. Frames that `filter` (libpcap's
  /// language; empty: all) leaves out are neither given nor counted.
  static Result<Capture> open(const std::string& file, const std::string& filter);
  /// False: the end. A file that is cut short or damaged ends where that begins; error() says so then.
  bool next(Frame& frame);
  /// The link type (DLT_*), the same for all frames.
  int link_type() const { return link_type_; }
  const std::string& error() const { return error_; }

 private:
  struct Close {
    void operator()(pcap* handle) const;
  };
  explicit Capture(pcap* handle);
  std::unique_ptr<pcap, Close> handle_;
  int link_type_;
  uint64_t count_ = 0;
  std::string error_;
};

}  // namespace weir::inspection::offline
