// Small captures by hand for the test of keywords: one session of each kind, and packets by themselves.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/packet_builder.h"

namespace weir::inspection::test {

using weir::test::PacketBuilder;
using Frames = std::vector<weir::test::Bytes>;

/// An Ethernet frame from 10.0.0.1 to 10.0.0.2, up to its IP header.
PacketBuilder from_client();
PacketBuilder from_server();

/// One datagram from port 1000 to port 2000.
Frames datagram(std::string_view payload);
/// An echo request from that client: identifier 7, number 9.
Frames ping();
/// Several of one session.
Frames datagrams(const std::vector<std::string>& payloads);
/// A TCP session from port 40000 to port 80 with a handshake (SYN: MSS 1460, window scale 7), the client's
/// bytes, the server's, and the end.
Frames tcp_session(std::string_view client, std::string_view server);
/// What one end says; `first`: the client.
using Turn = std::pair<bool, std::string>;
/// The ports of a conversation; `turned`: 10.0.0.2 is the client.
struct Ends {
  uint16_t client = 40'000, server = 80;
  bool turned = false;
};
/// A TCP session in which the ends speak in turns, each turn acknowledged.
Frames conversation(const std::vector<Turn>& turns, const Ends& ends);
/// A mail with an address in its text and one file, "resp body 2"; what each field holds stands in the
/// source.
Frames mail();
/// A login to FTP and PORT with that address.
Frames ftp(std::string_view port, bool answered = true);
/// The file "resp body 2" fetched by FTP, with its data connection.
Frames transfer();
/// One frame of HTTP/2.
std::string http2_frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload);
/// A header block without compression.
std::string http2_block(const std::vector<std::pair<std::string, std::string>>& fields);
/// HTTP/2 with prior knowledge: a GET of /dir/a%20b answered by 404 with the body "resp body 2", settings,
/// priority, window update, the end of the connection; what each holds stands in the source.
Frames http2();
/// A POST of a form with one file, answered by 404 with a body; what each field holds stands in the source.
Frames web();
/// A query for www.example.com and its answer with an authority and an additional record.
Frames names(uint16_t flags = 0x0100);
/// A handshake of TLS 1.2 for www.example.org, h2 offered, with a certificate that is valid from 2020-01-01
/// to 2022-01-01, or till 2020-02-01 alone.
Frames tls(bool valid = true);
/// The same in a mesh of Kuma: its third form of a server's name, its ALPN, a certificate with a SPIFFE ID.
Frames mesh();
/// What one end of that handshake sends.
std::string tls_bytes(bool client);
/// SHA-1 of its certificate, "aa:bb:...", as contents write it.
std::string tls_fingerprint();
/// Banners, algorithms and new keys of both ends of SSH; what each field holds stands in the source.
Frames ssh();
/// What one end of it sends.
std::string ssh_bytes(bool client);
/// The hellos of that handshake in QUIC: the client's Initial, the server's.
Frames quic();
/// A hello of Google's QUIC for i.example, from Chrome/1.
Frames google_quic();
/// A POST whose body is "hello world" in gzip or zlib, without saying so.
Frames deflated(bool gzip);

inline constexpr uint64_t kCaptureNs = 1'609'459'200ULL * 1'000'000'000ULL;  // 2021-01-01

}  // namespace weir::inspection::test
