#include "inspection/offline/capture.h"

#include <pcap/pcap.h>

#include <string_view>

namespace weir::inspection::offline {

void Capture::Close::operator()(pcap* handle) const { pcap_close(handle); }

Capture::Capture(pcap* handle) : handle_(handle), link_type_(pcap_datalink(handle)) {}

Result<Capture> Capture::open(const std::string& file, const std::string& filter) {
  char why[PCAP_ERRBUF_SIZE] = {};
  pcap* const handle = pcap_open_offline_with_tstamp_precision(file.c_str(), PCAP_TSTAMP_PRECISION_NANO, why);
  if (handle == nullptr) {
    const std::string_view said = why;  // of a file that cannot be opened libpcap names it, else not
    return fail(ErrorCode::io, said.starts_with(file) ? std::string(said) : file + ": " + why);
  }
  Capture capture(handle);
  if (filter.empty()) return capture;
  bpf_program program{};
  if (pcap_compile(handle, &program, filter.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0)
    return fail(ErrorCode::invalid, "the filter '" + filter + "': " + pcap_geterr(handle));
  const int set = pcap_setfilter(handle, &program);
  pcap_freecode(&program);
  if (set != 0) return fail(ErrorCode::invalid, "the filter '" + filter + "': " + pcap_geterr(handle));
  return capture;
}

bool Capture::next(Frame& frame) {
  pcap_pkthdr* header = nullptr;
  const u_char* bytes = nullptr;
  const int got = pcap_next_ex(handle_.get(), &header, &bytes);
  if (got != 1) {
    if (got == PCAP_ERROR) error_ = pcap_geterr(handle_.get());
    return false;
  }
  frame.bytes = {bytes, header->caplen};
  frame.wire_length = header->len;
  // The precision asked for makes tv_usec nanoseconds.
  frame.time_ns =
      static_cast<uint64_t>(header->ts.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(header->ts.tv_usec);
  frame.number = ++count_;
  return true;
}

}  // namespace weir::inspection::offline
