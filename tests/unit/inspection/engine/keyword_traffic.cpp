#include "tests/unit/inspection/engine/keyword_traffic.h"

#include "tests/unit/inspection/engine/quic_traffic.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <zlib.h>

#include <cstdio>
#include <memory>

#include "tests/unit/inspection/engine/bytes.h"

namespace weir::inspection::test {

namespace {

constexpr net::Mac kOne{{2, 0, 0, 0, 0, 1}}, kTwo{{2, 0, 0, 0, 0, 2}};
constexpr uint8_t kFin = 1, kSyn = 2, kAck = 16, kPsh = 8;
constexpr uint32_t kClientIsn = 999, kServerIsn = 1'999;

PacketBuilder one_way(bool client) {
  PacketBuilder packet;
  return client ? packet.ether(kTwo, kOne).ipv4("10.0.0.1", "10.0.0.2")
                : packet.ether(kOne, kTwo).ipv4("10.0.0.2", "10.0.0.1");
}

Octets u8_list(const Octets& bytes) {
  Octets out = {static_cast<uint8_t>(bytes.size())};
  put(out, bytes);
  return out;
}
Octets u16_list(const Octets& bytes) {
  Octets out;
  put16(out, bytes.size());
  put(out, bytes);
  return out;
}
Octets extension(uint16_t type, const Octets& data) {
  Octets out;
  put16(out, type);
  put(out, u16_list(data));
  return out;
}
Octets record(uint8_t type, const Octets& bytes) {
  Octets out = {type, 3, 3};
  put(out, u16_list(bytes));
  return out;
}
Octets message(uint8_t type, const Octets& body) {
  Octets out = {type};
  put24(out, body.size());
  put(out, body);
  return record(22, out);
}

/// Names of a session's server.
struct TlsNames {
  const char* server = "www.example.org";
  const char* alpn = "h2";
  const char* alternative = "DNS:alt.example.org";
};

Octets hello(bool client, const TlsNames& names = {}) {
  Octets extensions;
  if (client) {
    Octets name = {0};
    put(name, u16_list(text(names.server)));
    put(extensions, extension(0, u16_list(name)));
    put(extensions, extension(10, u16_list({0, 29})));
    put(extensions, extension(11, u8_list({0})));
  }
  put(extensions, extension(16, u16_list(u8_list(text(names.alpn)))));
  Octets body = {3, 3};
  for (uint8_t i = 0; i < 32; ++i) body.push_back(static_cast<uint8_t>((client ? 0x20 : 0x60) + i));
  body.push_back(0);
  put(body, client ? Octets{0, 2, 0xc0, 0x2f, 1, 0} : Octets{0xc0, 0x2f, 0});
  put(body, u16_list(extensions));
  return message(client ? 1 : 2, body);
}

/// By OpenSSL, with a key that is always the same, so that its fingerprint is.
Octets certificate(bool valid, const TlsNames& tls_names = {}) {
  using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using Cert = std::unique_ptr<X509, decltype(&X509_free)>;
  const Octets seed(32, 0x42);
  const Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()),
                EVP_PKEY_free);
  const Cert cert(X509_new(), X509_free);
  X509_set_version(cert.get(), 2);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert.get()), 0x01ab23cd);
  ASN1_TIME_set_string(X509_getm_notBefore(cert.get()), "20200101000000Z");
  ASN1_TIME_set_string(X509_getm_notAfter(cert.get()), valid ? "20220101000000Z" : "20200201000000Z");
  X509_set_pubkey(cert.get(), key.get());
  const auto add = [](X509_NAME* name, const char* value) {
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value), -1,
                               -1, 0);
  };
  add(X509_get_subject_name(cert.get()), "www.example.org");
  add(X509_get_issuer_name(cert.get()), "Some CA");
  X509_EXTENSION* const names =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, tls_names.alternative);
  X509_add_ext(cert.get(), names, -1);
  X509_EXTENSION_free(names);
  X509_sign(cert.get(), key.get(), nullptr);
  unsigned char* der = nullptr;
  const int size = i2d_X509(cert.get(), &der);
  Octets out(der, der + size);
  OPENSSL_free(der);
  return out;
}

Octets dns_name(std::string_view name) {
  Octets out;
  while (!name.empty()) {
    const size_t dot = name.find('.');
    put(out, u8_list(text(name.substr(0, dot))));
    name = dot == std::string_view::npos ? std::string_view{} : name.substr(dot + 1);
  }
  out.push_back(0);
  return out;
}

}  // namespace

PacketBuilder from_client() { return one_way(true); }
PacketBuilder from_server() { return one_way(false); }

Frames ping() { return {from_client().icmp_echo(7, 9).build()}; }

Frames datagrams(const std::vector<std::string>& payloads) {
  Frames frames;
  for (const std::string& payload : payloads)
    frames.push_back(from_client().udp(1000, 2000).payload(payload).build());
  return frames;
}

Frames datagram(std::string_view payload) { return datagrams({std::string(payload)}); }

Frames tcp_session(std::string_view client, std::string_view server) {
  return conversation({{true, std::string(client)}, {false, std::string(server)}}, {});
}

Frames conversation(const std::vector<Turn>& turns, const Ends& ends) {
  constexpr size_t kSegment = 1'400;
  Frames frames;
  const auto add = [&](bool of_client, uint8_t flags, uint32_t seq, uint32_t ack, std::string_view bytes,
                       const weir::test::Bytes& options = {}) {
    PacketBuilder packet = one_way(of_client != ends.turned);
    packet.tcp(of_client ? ends.client : ends.server, of_client ? ends.server : ends.client, flags, seq, ack)
        .window(29'000);
    if (!options.empty()) packet.tcp_options(options);
    frames.push_back(packet.payload(bytes).build());
  };
  uint32_t seq[2] = {kServerIsn + 1, kClientIsn + 1};  // by whether it is the client's
  add(true, kSyn, kClientIsn, 0, {}, {2, 4, 0x05, 0xb4, 1, 3, 3, 7});
  add(false, kSyn | kAck, kServerIsn, kClientIsn + 1, {}, {2, 4, 0x05, 0xb4, 1, 3, 3, 7});
  add(true, kAck, seq[1], seq[0], {});
  for (const auto& [of_client, said] : turns) {
    std::string_view bytes = said;
    while (!bytes.empty()) {
      const std::string_view piece = bytes.substr(0, kSegment);
      add(of_client, kAck | kPsh, seq[of_client], seq[!of_client], piece);
      seq[of_client] += static_cast<uint32_t>(piece.size());
      add(!of_client, kAck, seq[!of_client], seq[of_client], {});
      bytes.remove_prefix(piece.size());
    }
  }
  add(true, kFin | kAck, seq[1]++, seq[0], {});
  add(false, kFin | kAck, seq[0]++, seq[1], {});
  add(true, kAck, seq[1], seq[0], {});
  return frames;
}

Frames mail() {
  return conversation(
      {{false, "220 mail.example.org ESMTP\r\n"},
       {true, "EHLO client.example.org\r\n"},
       {false, "250-mail.example.org\r\n250 PIPELINING\r\n"},
       {true, "MAIL FROM:<one@example.org> SIZE=100\r\nRCPT TO:<two@example.net>\r\nDATA\r\n"},
       {false, "250 ok\r\n250 ok\r\n354 go on\r\n"},
       {true,
        "Received: from a.example\r\nFrom: One <one@example.org>\r\nTo: two@example.net\r\n"
        "Cc: three@example.net\r\nSubject: A test\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n"
        "Message-ID: <1@example.org>\r\nX-Mailer: weir/1\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/mixed; boundary=\"B\"\r\n\r\n--B\r\nContent-Type: text/plain\r\n\r\n"
        "See http://www.example.org/a for it.\r\n--B\r\nContent-Type: application/pdf\r\n"
        "Content-Disposition: attachment; filename=\"Report.PDF\"\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\ncmVzcCBib2R5IDI=\r\n--B--\r\n.\r\n"},
       {false, "250 queued\r\n"},
       {true, "QUIT\r\n"},
       {false, "221 bye\r\n"}},
      {40'001, 25});
}

Frames ftp(std::string_view port, bool answered) {
  std::vector<Turn> turns = {
      {false, "220 (ready)\r\n"}, {true, "USER one\r\n"},      {false, "331 Please say the password.\r\n"},
      {true, "PASS two\r\n"},     {false, "230 Welcome.\r\n"}, {true, "PORT " + std::string(port) + "\r\n"}};
  if (answered) turns.push_back({false, "200 Fine.\r\n"});
  return conversation(turns, {40'002, 21});
}

Frames transfer() {
  // The control connection is open while the data connection is.
  Frames control = conversation({{false, "220 (ready)\r\n"},
                                 {true, "USER one\r\n"},
                                 {false, "230 Welcome.\r\n"},
                                 {true, "PASV\r\n"},
                                 {false, "227 Entering passive mode (10,0,0,2,200,10).\r\n"},
                                 {true, "RETR Report.PDF\r\n"},
                                 {false, "150 Here it comes.\r\n"}},
                                {40'002, 21});
  const Frames data = conversation({{false, "resp body 2"}}, {40'003, 200 * 256 + 10});
  const auto close = control.end() - 3;
  control.insert(close, data.begin(), data.end());
  return control;
}

std::string http2_frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
  std::string out;
  for (const unsigned shift : {16u, 8u, 0u}) out.push_back(static_cast<char>(payload.size() >> shift));
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  for (const unsigned shift : {24u, 16u, 8u, 0u}) out.push_back(static_cast<char>(stream >> shift));
  return out.append(payload);
}

std::string http2_block(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    out.push_back(0);  // a literal that is not remembered
    out.push_back(static_cast<char>(name.size()));
    out.append(name);
    out.push_back(static_cast<char>(value.size()));
    out.append(value);
  }
  return out;
}

Frames http2() {
  using namespace std::string_literals;
  constexpr uint8_t kData = 0, kHeaders = 1, kSettings = 4, kGoaway = 7, kWindow = 8;
  constexpr uint8_t kEndStream = 1, kEndHeaders = 4, kPriority = 32;
  const std::string table_size = "\x3f\xe1\x0f"s;  // 2,048
  const std::string request = table_size + http2_block({{":method", "GET"},
                                                        {":path", "/dir/a%20b"},
                                                        {":authority", "www.Example.com:8080"},
                                                        {"user-agent", "weir/2"},
                                                        {"cookie", "id=7"}});
  const std::string response = http2_block({{":status", "404"}, {"server", "weirhttp2"}});
  return conversation(
      {{true, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + http2_frame(kSettings, 0, 0, "\0\5\0\0\x40\1"s) +
                  http2_frame(kWindow, 0, 0, "\0\0\1\0"s) +
                  http2_frame(kHeaders, kEndStream | kEndHeaders | kPriority, 1, "\0\0\0\0\x0f"s + request)},
       {false, http2_frame(kSettings, 0, 0, "") + http2_frame(kHeaders, kEndHeaders, 1, response) +
                   http2_frame(kData, kEndStream, 1, "resp body 2") +
                   http2_frame(kGoaway, 0, 0, "\0\0\0\1\0\0\0\2"s)}},
      {});
}

Frames web() {
  const std::string form =
      "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"Report.PDF\"\r\n\r\n"
      "file one\r\n--B--\r\n";
  return tcp_session(
      "POST /dir/a%20b.php?q=One HTTP/1.1\r\nHost: www.Example.com:8080\r\nUser-Agent: weir/1\r\n"
      "Referer: http://r.example/\r\nAccept: text/html\r\nAccept-Language: en\r\nAccept-Encoding: gzip\r\n"
      "Cookie: id=7\r\nConnection: keep-alive\r\nContent-Type: multipart/form-data; boundary=B\r\n"
      "Content-Length: " +
          std::to_string(form.size()) + "\r\n\r\n" + form,
      "HTTP/1.1 404 Not Found\r\nServer: weirhttp\r\nLocation: /else\r\nSet-Cookie: s=9\r\n"
      "Content-Type: text/plain\r\nContent-Length: 11\r\n\r\nresp body 2");
}

Frames names(uint16_t flags) {
  const auto header = [](uint16_t bits, uint16_t answers, uint16_t authorities, uint16_t additionals) {
    Octets out;
    for (const size_t word :
         {size_t{0x1234}, size_t{bits}, size_t{1}, size_t{answers}, size_t{authorities}, size_t{additionals}})
      put16(out, word);
    return out;
  };
  Octets question = dns_name("www.example.com");
  put(question, {0, 1, 0, 1});
  const auto address = [](std::string_view name) {
    Octets out = dns_name(name);
    put(out, {0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 168, 0, 1});
    return out;
  };
  Octets query = header(flags, 0, 0, 0);
  put(query, question);
  Octets answer = header(static_cast<uint16_t>(flags | 0x8080), 1, 1, 1);
  put(answer, question);
  put(answer, address("answer.example.com"));
  Octets server = dns_name("example.com");
  put(server, {0, 2, 0, 1, 0, 0, 0, 60});
  put(server, u16_list(dns_name("ns.example.com")));
  put(answer, server);
  put(answer, address("extra.example.com"));
  return {from_client().udp(5300, 53).payload(query).build(),
          from_server().udp(53, 5300).payload(answer).build()};
}

std::string tls_fingerprint() {
  const Octets der = certificate(true);
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(der.data(), der.size(), digest);
  std::string out;
  for (const unsigned char byte : digest) {
    char hex[8];
    std::snprintf(hex, sizeof hex, out.empty() ? "%02x" : ":%02x", byte);
    out += hex;
  }
  return out;
}

Frames deflated(bool gzip) {
  Octets plain = text("hello world"), packed(256);
  z_stream stream{};
  deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzip ? MAX_WBITS + 16 : MAX_WBITS, 8,
               Z_DEFAULT_STRATEGY);
  stream.next_in = plain.data();
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = packed.data();
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return tcp_session("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(packed.size()) +
                         "\r\n\r\n" + as_text(packed),
                     "");
}

namespace {

Octets tls_server(bool valid, const TlsNames& names = {}) {
  const Octets der = certificate(valid, names);
  Octets chain, list;
  put24(list, der.size());
  put(list, der);
  put24(chain, list.size());
  put(chain, list);
  Octets server = hello(false, names);
  put(server, message(11, chain));
  put(server, message(14, {}));
  put(server, record(20, {1}));
  return server;
}

}  // namespace

std::string tls_bytes(bool client) { return as_text(client ? hello(true) : tls_server(true)); }

std::string ssh_bytes(bool client) {
  const auto u32 = [](size_t value) {
    std::string out;
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
    return out;
  };
  const auto record = [&](const std::string& message) {
    return u32(message.size() + 5) + std::string(1, '\4') + message + std::string(4, 'p');
  };
  std::string algorithms = "\x14" + std::string(16, 'c');
  for (const char* const list : {client ? "kex-c" : "kex-s", "ssh-ed25519", "enc-cs", "enc-sc", "mac-cs",
                                 "mac-sc", "none", "none", "", ""})
    algorithms += u32(std::string(list).size()) + list;
  algorithms += std::string(5, '\0');
  const std::string banner = client ? "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n" : "SSH-1.99-dropbear_2022.83\r\n";
  return banner + record(algorithms) + record("\x1e" + std::string(32, 'k')) + record("\x15") + "encrypted";
}

Frames ssh() { return tcp_session(ssh_bytes(true), ssh_bytes(false)); }

namespace {

std::string hello_message(bool client) {
  const std::string record = tls_bytes(client);
  const auto at = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(record[i])); };
  return record.substr(5, 4 + (at(6) << 16 | at(7) << 8 | at(8)));
}

}  // namespace

Frames quic() {
  const auto server =
      quic_initial({.direction = Direction::to_client}, crypto_frame({0, hello_message(false)}));
  return {
      from_client().udp(1000, 443).payload(quic_initial({}, crypto_frame({0, hello_message(true)}))).build(),
      from_server().udp(443, 1000).payload(server).build()};
}

Frames google_quic() {
  return {from_client().udp(1000, 443).payload(google_hello("i.example", "Chrome/1")).build()};
}

Frames mesh() {
  constexpr TlsNames kNames = {"sni.msvc.demo.east.shop.backend.http", "kuma", "URI:spiffe://demo/backend"};
  return tcp_session(as_text(hello(true, kNames)), as_text(tls_server(true, kNames)));
}

Frames tls(bool valid) { return tcp_session(as_text(hello(true)), as_text(tls_server(valid))); }

}  // namespace weir::inspection::test
