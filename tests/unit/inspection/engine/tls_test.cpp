// TLS handshakes: hellos in any portions, names that are none, certificates beside OpenSSL's opinion of them.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

#include "inspection/app/recognise.h"
#include "inspection/app/tls/tls_parser.h"
#include "tests/unit/inspection/engine/bytes.h"

namespace weir::inspection {
namespace {

using namespace test;

Octets extension(uint16_t type, const Octets& data) {
  Octets out;
  put16(out, type);
  put16(out, data.size());
  put(out, data);
  return out;
}

Octets client_hello(std::string_view server, size_t padding = 0) {
  Octets sni_entry = {0};
  put16(sni_entry, server.size());
  put(sni_entry, text(server));
  Octets sni;
  put16(sni, sni_entry.size());
  put(sni, sni_entry);
  Octets alpn_list = {2, 'h', '2', 8};
  put(alpn_list, text("http/1.1"));
  Octets alpn;
  put16(alpn, alpn_list.size());
  put(alpn, alpn_list);
  Octets extensions = extension(0, sni);
  put(extensions, extension(0x0a0a, {}));
  put(extensions, extension(10, {0, 4, 0, 29, 0, 23}));
  put(extensions, extension(11, {1, 0}));
  put(extensions, extension(16, alpn));
  put(extensions, extension(13, {0, 4, 4, 3, 8, 4}));
  put(extensions, extension(43, {2, 3, 4}));
  if (padding > 0) put(extensions, extension(21, Octets(padding, 0)));
  Octets body = {3, 3};
  put(body, Octets(32, 0x11));
  put(body, {0, 0, 6, 0x0a, 0x0a, 0x13, 0x01, 0x13, 0x02, 1, 0});
  put16(body, extensions.size());
  put(body, extensions);
  Octets message = {1};
  put24(message, body.size());
  put(message, body);
  return message;
}

/// A handshake message in records of at most `size` bytes.
Octets records(const Octets& message, size_t size, uint8_t type = 22) {
  Octets out;
  for (size_t at = 0; at < message.size(); at += size) {
    const size_t piece = std::min(size, message.size() - at);
    put(out, {type, 3, 1});
    put16(out, piece);
    out.insert(out.end(), message.begin() + static_cast<std::ptrdiff_t>(at),
               message.begin() + static_cast<std::ptrdiff_t>(at + piece));
  }
  return out;
}

struct Parser {
  BytePool pool{4 << 20};
  AppParser* parser = make_tls_parser(pool, 0);
  ~Parser() {
    parser->destroy();
    EXPECT_EQ(pool.used(), 0u);
  }
  Advance feed(Direction way, const Octets& bytes, size_t portion = SIZE_MAX) {
    Advance step;
    for (size_t at = 0; at < bytes.size(); at += std::min(portion, bytes.size())) {
      step = parser->advance(way, std::span(bytes).subspan(at, std::min(portion, bytes.size() - at)), 0);
    }
    return step;
  }
  TlsTransaction& tls() { return *static_cast<TlsTransaction*>(parser->transactions()[0]); }
  std::string value(BufferId id, Direction way, uint32_t instance = 0) {
    const auto view = tls().buffer(id, way, instance);
    return view ? as_text(view->bytes) : "(none)";
  }
};

TEST(TlsHello, InAnyRecordsAndPortions) {
  const Octets message = client_hello("www.example.org");
  for (const size_t record : {size_t{1}, size_t{5}, size_t{100}, size_t{16'384}}) {
    const Octets stream = records(message, record);
    for (const size_t portion : {size_t{1}, size_t{3}, size_t{64}, stream.size()}) {
      Parser p;
      p.feed(Direction::to_server, stream, portion);
      EXPECT_EQ(p.value(BufferId::tls_sni, Direction::to_server), "www.example.org")
          << record << "/" << portion;
      EXPECT_EQ(p.value(BufferId::tls_alpn, Direction::to_server, 1), "http/1.1");
      // The string and its hash by the rules of JA3: GREASE values are left out.
      EXPECT_EQ(p.value(BufferId::ja3_string, Direction::to_server),
                "771,4865-4866,0-10-11-16-13-43,29-23,0");
      EXPECT_EQ(p.tls().progress(Direction::to_server), TlsStep::hello);
    }
  }
}

TEST(TlsHello, Ja4SaysWhatItsDescriptionSays) {
  Parser p;
  p.feed(Direction::to_server, records(client_hello("a.example"), 16'384));
  const std::string ja4 = p.value(BufferId::ja4_hash, Direction::to_server);
  EXPECT_EQ(ja4.substr(0, 11), "t13d0206h2_") << "TLS 1.3, a name, 2 ciphers, 6 extensions, h2";
  EXPECT_EQ(ja4.size(), 36u);
}

TEST(TlsHello, BeyondOneRecordOfTheGreatestLength) {
  Parser p;
  p.feed(Direction::to_server, records(client_hello("big.example", 30'000), 16'384), 1'400);
  EXPECT_EQ(p.value(BufferId::tls_sni, Direction::to_server), "big.example");
}

TEST(TlsHello, ANameThatIsNoHostNameIsData) {
  for (const std::string_view odd : {"a_b.{svc}=x,y/z", "outbound_.80_._.web.default.svc", "\x01\xff"}) {
    Parser p;
    p.feed(Direction::to_server, records(client_hello(odd), 16'384));
    EXPECT_EQ(p.value(BufferId::tls_sni, Direction::to_server), odd);
    EXPECT_EQ(p.tls().app_events, 0u);
  }
}

TEST(TlsHello, EveryTruncationIsHarmless) {
  const Octets stream = records(client_hello("www.example.org"), 16'384);
  for (size_t size = 0; size < stream.size(); ++size) {
    Parser p;
    p.feed(Direction::to_server, {stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(size)});
    EXPECT_EQ(p.value(BufferId::tls_sni, Direction::to_server), "(none)") << size;
  }
}

TEST(TlsParser, AsksForNothingAfterTheHandshake) {
  Parser p;
  p.feed(Direction::to_server, records(client_hello("x.example"), 16'384));
  const Octets done = {20, 3, 3, 0, 1, 1};
  EXPECT_EQ(p.feed(Direction::to_client, done).next, Next::more);
  EXPECT_EQ(p.feed(Direction::to_server, done).next, Next::ended);
  EXPECT_TRUE(is_over(p.tls()));
}

TEST(TlsParser, WhatIsNoRecordIsTold) {
  Parser p;
  EXPECT_EQ(p.feed(Direction::to_server, {99, 3, 1, 0, 1, 0}).error, AppError::malformed);
  EXPECT_NE(p.tls().app_events, 0u);
}

using CertificatePtr = std::unique_ptr<X509, decltype(&X509_free)>;

CertificatePtr make_certificate() {
  EVP_PKEY* const key = EVP_EC_gen("P-256");
  CertificatePtr cert(X509_new(), X509_free);
  X509_set_version(cert.get(), 2);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert.get()), 0x01ab23cd);
  ASN1_TIME_set_string(X509_getm_notBefore(cert.get()), "20240229120000Z");
  ASN1_TIME_set_string(X509_getm_notAfter(cert.get()), "20510101000000Z");
  X509_set_pubkey(cert.get(), key);
  const auto add = [](X509_NAME* name, const char* field, const char* value) {
    X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value), -1,
                               -1, 0);
  };
  X509_NAME* const subject = X509_get_subject_name(cert.get());
  add(subject, "C", "CH");
  add(subject, "O", "Weir, tests");
  add(subject, "CN", "example.org");
  X509_NAME* const issuer = X509_get_issuer_name(cert.get());
  add(issuer, "CN", "Some CA");
  X509_EXTENSION* const names =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name,
                          "DNS:example.org,DNS:*.example.org,URI:spiffe://mesh/ns/a,IP:192.0.2.1");
  X509_add_ext(cert.get(), names, -1);
  X509_EXTENSION_free(names);
  X509_sign(cert.get(), key, EVP_sha256());
  EVP_PKEY_free(key);
  return cert;
}

Octets der_of(X509* cert) {
  unsigned char* der = nullptr;
  const int size = i2d_X509(cert, &der);
  Octets out(der, der + size);
  OPENSSL_free(der);
  return out;
}

TEST(TlsCertificate, IsReadAsOpenSslReadsIt) {
  const CertificatePtr cert = make_certificate();
  const Octets der = der_of(cert.get());
  BytePool pool(1 << 20);
  Certificate read(pool);
  ASSERT_TRUE(read_certificate(der, read));
  EXPECT_EQ(as_text(read.view(read.subject)), "C=CH, O=Weir, tests, CN=example.org");
  EXPECT_EQ(as_text(read.view(read.issuer)), "CN=Some CA");
  EXPECT_EQ(as_text(read.view(read.serial)), "01:AB:23:CD");
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  X509_digest(cert.get(), EVP_sha1(), digest, &size);
  std::string expected;
  for (unsigned i = 0; i < size; ++i) {
    char hex[4];
    std::snprintf(hex, sizeof hex, i == 0 ? "%02x" : ":%02x", digest[i]);
    expected += hex;
  }
  EXPECT_EQ(as_text(read.view(read.fingerprint)), expected);
  std::tm before{}, after{};
  ASN1_TIME_to_tm(X509_get0_notBefore(cert.get()), &before);
  ASN1_TIME_to_tm(X509_get0_notAfter(cert.get()), &after);
  EXPECT_EQ(read.not_before, timegm(&before));
  EXPECT_EQ(read.not_after, timegm(&after));
  ASSERT_EQ(read.alternative_count, 4u);
  EXPECT_EQ(as_text(read.view(read.alternative[1])), "*.example.org");
  EXPECT_EQ(as_text(read.view(read.alternative[2])), "spiffe://mesh/ns/a");
  EXPECT_EQ(as_text(read.view(read.alternative[3])), "192.0.2.1");
}

TEST(TlsCertificate, EveryTruncationAndBrokenByteIsHarmless) {
  const CertificatePtr cert = make_certificate();
  const Octets der = der_of(cert.get());
  BytePool pool(1 << 20);
  for (size_t size = 0; size < der.size(); ++size) {
    Certificate read(pool);
    EXPECT_FALSE(read_certificate(std::span(der).first(size), read)) << size;
  }
  for (size_t at = 0; at < der.size(); ++at) {
    Octets broken = der;
    broken[at] ^= 0xff;
    Certificate read(pool);
    (void)read_certificate(broken, read);
  }
}

TEST(TlsCertificate, AChainIsKeptWholeAndItsFirstIsRead) {
  const Octets der = der_of(make_certificate().get());
  Octets list;
  for (int i = 0; i < 3; ++i) {
    put24(list, der.size());
    put(list, der);
  }
  Octets message = {11};
  put24(message, list.size() + 3);
  put24(message, list.size());
  put(message, list);
  Parser p;
  p.feed(Direction::to_client, records(message, 1'000), 37);
  EXPECT_EQ(p.tls().certificate_count(Direction::to_client), 3u);
  EXPECT_EQ(p.value(BufferId::tls_certs, Direction::to_client, 2), as_text(der));
  EXPECT_EQ(p.value(BufferId::tls_cert_issuer, Direction::to_client), "CN=Some CA");
  EXPECT_EQ(p.tls().number(NumberId::tls_cert_chain_len, Direction::to_client, 0), 3u);
}

TEST(Recognise, TellsByTheFirstBytes) {
  const auto told = [](Direction way, const Octets& bytes) { return recognise_stream(way, bytes); };
  EXPECT_EQ(told(Direction::to_server, records(client_hello("x"), 16'384)).protocol, AppProtocol::tls);
  EXPECT_EQ(told(Direction::to_server, text("GET / HTTP/1.1\r\n")).protocol, AppProtocol::http1);
  EXPECT_EQ(told(Direction::to_server, text("FROB /x HTTP/1.1\r\n")).protocol, AppProtocol::http1);
  EXPECT_EQ(told(Direction::to_client, text("HTTP/1.1 200 OK\r\n")).protocol, AppProtocol::http1);
  EXPECT_EQ(told(Direction::to_server, text("LIST the messages\r\n")).answer, Recognition::Answer::no);
  EXPECT_EQ(told(Direction::to_server, text("GE")).answer, Recognition::Answer::more);
}

}  // namespace
}  // namespace weir::inspection
