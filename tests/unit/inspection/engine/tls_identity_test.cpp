// Kong's and Kuma's TLS sessions between two real ends (OpenSSL): labels, identities in certificates, and the
// same sessions resumed.
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>

#include "inspection/app/tls/tls_parser.h"
#include "tests/unit/inspection/engine/bytes.h"

namespace weir::inspection {
namespace {

using namespace test;

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* it) const {
    Free(it);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Cert = std::unique_ptr<X509, Freed<X509_free>>;
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using Ssl = std::unique_ptr<SSL, Freed<SSL_free>>;
using SslSession = std::unique_ptr<SSL_SESSION, Freed<SSL_SESSION_free>>;

/// Signed by itself; `names` as in openssl.cnf: "URI:spiffe://demo/backend".
void use_certificate(SSL_CTX* context, const std::string& names) {
  const Key key(EVP_EC_gen("P-256"));
  const Cert cert(X509_new());
  X509_set_version(cert.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(cert.get()), -3'600);
  X509_gmtime_adj(X509_getm_notAfter(cert.get()), 86'400);
  X509_set_pubkey(cert.get(), key.get());
  X509V3_CTX extension_context;
  X509V3_set_ctx_nodb(&extension_context);
  X509_EXTENSION* const extension =
      X509V3_EXT_conf_nid(nullptr, &extension_context, NID_subject_alt_name, names.c_str());
  ASSERT_NE(extension, nullptr) << names;
  X509_add_ext(cert.get(), extension, -1);
  X509_EXTENSION_free(extension);
  ASSERT_GT(X509_sign(cert.get(), key.get(), EVP_sha256()), 0);
  ASSERT_EQ(SSL_CTX_use_certificate(context, cert.get()), 1);
  ASSERT_EQ(SSL_CTX_use_PrivateKey(context, key.get()), 1);
}

enum class Resume { by_ticket, by_id };

/// Two ends that may meet several times.
class Ends {
 public:
  Ends(int version, Resume resume) {
    for (SSL_CTX* const context : {client_.get(), server_.get()}) {
      SSL_CTX_set_min_proto_version(context, version);
      SSL_CTX_set_max_proto_version(context, version);
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
    }
    SSL_CTX_set_session_id_context(server_.get(), reinterpret_cast<const unsigned char*>("weir"), 4);
    SSL_CTX_set_session_cache_mode(client_.get(), SSL_SESS_CACHE_CLIENT);
    if (resume == Resume::by_id) SSL_CTX_set_options(server_.get(), SSL_OP_NO_TICKET);
    SSL_CTX_set_alpn_select_cb(
        server_.get(),
        [](SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned,
           void*) {
          *out = in + 1;
          *out_size = in[0];
          return SSL_TLSEXT_ERR_OK;
        },
        nullptr);
    use_certificate(server_.get(), "URI:spiffe://demo/backend,URI:kuma://kuma.io/zone/east,DNS:backend");
    use_certificate(client_.get(), "URI:spiffe://demo/frontend,URI:kuma://kuma.io/zone/west");
  }

  /// A handshake, which is fed to `parser` as it goes, `portion` bytes at a time.
  void meet(AppParser& parser, const std::string& name, const std::string& alpn, size_t portion = SIZE_MAX) {
    const Ssl client(SSL_new(client_.get())), server(SSL_new(server_.get()));
    SSL_set_bio(client.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_bio(server.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (!name.empty()) {
      ASSERT_EQ(SSL_set_tlsext_host_name(client.get(), name.c_str()), 1);
    }
    if (!alpn.empty()) {
      Octets list = {static_cast<uint8_t>(alpn.size())};
      put(list, text(alpn));
      SSL_set_alpn_protos(client.get(), list.data(), static_cast<unsigned>(list.size()));
    }
    if (session_ != nullptr) SSL_set_session(client.get(), session_.get());
    SSL_set_connect_state(client.get());
    SSL_set_accept_state(server.get());
    for (int round = 0; round < 8; ++round) {
      SSL_do_handshake(client.get());
      carry(client.get(), server.get(), parser, Direction::to_server, portion);
      SSL_do_handshake(server.get());
      carry(server.get(), client.get(), parser, Direction::to_client, portion);
    }
    ASSERT_TRUE(SSL_is_init_finished(client.get()) && SSL_is_init_finished(server.get()));
    resumed = SSL_session_reused(client.get()) == 1;
    session_.reset(SSL_get1_session(client.get()));
    SSL_shutdown(client.get());
    SSL_shutdown(server.get());
  }

  bool resumed = false;

 private:
  static void carry(SSL* from, SSL* to, AppParser& parser, Direction way, size_t portion) {
    Octets bytes(1 << 16);
    const int size = BIO_read(SSL_get_wbio(from), bytes.data(), static_cast<int>(bytes.size()));
    if (size <= 0) return;
    bytes.resize(static_cast<size_t>(size));
    BIO_write(SSL_get_rbio(to), bytes.data(), size);
    for (size_t at = 0; at < bytes.size();) {
      const size_t piece = std::min(portion, bytes.size() - at);
      parser.advance(way, std::span(bytes).subspan(at, piece), 1);
      at += piece;
    }
  }

  Context client_{SSL_CTX_new(TLS_client_method())}, server_{SSL_CTX_new(TLS_server_method())};
  SslSession session_;
};

/// One worker's view of a session.
struct Seen {
  explicit Seen(const TlsMemory& memory)
      : parser(make_tls_parser(pool, 0, TlsTransaction::kMaxCertificates, memory)) {}
  ~Seen() {
    parser->destroy();
    EXPECT_EQ(pool.used(), 0u);
  }
  std::string value(BufferId id, Direction way) {
    auto& tls = *parser->transactions()[0];
    std::string out;
    for (uint32_t i = 0;; ++i) {
      const auto view = tls.buffer(id, way, i);
      if (!view) return out;
      out += (i > 0 ? " " : "") + as_text(view->bytes);
      if (id != BufferId::weir_spiffe) return out;
    }
  }
  std::string client() { return value(BufferId::weir_spiffe, Direction::to_server); }
  std::string server() { return value(BufferId::weir_spiffe, Direction::to_client); }

  BytePool pool{4 << 20};
  AppParser* parser;
};

class TlsIdentity12 : public testing::TestWithParam<Resume> {
 protected:
  TlsIdentities identities_{64, 7};
  EventCount lost_;
  TlsMemory memory_{&identities_, &lost_, net::Ipv4{0x0a000001}, 3};
};
INSTANTIATE_TEST_SUITE_P(Both, TlsIdentity12, testing::Values(Resume::by_ticket, Resume::by_id));

TEST_P(TlsIdentity12, IsReadInFullAndRememberedForTheSameSession) {
  Ends ends(TLS1_2_VERSION, GetParam());
  for (const size_t portion : {SIZE_MAX, size_t{1}}) {
    for (int meeting = 0; meeting < 3; ++meeting) {
      Seen seen(memory_);
      ends.meet(*seen.parser, "backend{mesh=demo,version=2}", "kuma", portion);
      EXPECT_EQ(ends.resumed, portion == 1 || meeting > 0);
      EXPECT_EQ(seen.value(BufferId::weir_app, Direction::to_server), "kuma-mesh");
      EXPECT_EQ(seen.value(BufferId::weir_kuma_service, Direction::to_server), "backend");
      EXPECT_EQ(seen.value(BufferId::weir_kuma_mesh, Direction::to_server), "demo");
      EXPECT_EQ(seen.value(BufferId::weir_kuma_zone, Direction::to_client), "east");
      EXPECT_EQ(seen.client(), "spiffe://demo/frontend") << meeting;
      EXPECT_EQ(seen.server(), "spiffe://demo/backend") << meeting;
    }
  }
  EXPECT_EQ(lost_.get(), 0u);
}

TEST_P(TlsIdentity12, IsUnknownWhereNobodySawItBegin) {
  Ends ends(TLS1_2_VERSION, GetParam());
  {
    Seen before(TlsMemory{});
    ends.meet(*before.parser, "backend{mesh=demo}", "kuma");
    EXPECT_EQ(before.client(), "spiffe://demo/frontend");
  }
  Seen seen(memory_);
  ends.meet(*seen.parser, "backend{mesh=demo}", "kuma");
  EXPECT_TRUE(ends.resumed);
  EXPECT_EQ(seen.client(), "unknown");
  EXPECT_EQ(seen.server(), "unknown");
}

TEST_P(TlsIdentity12, BelongsToOneServerAndDomain) {
  Ends ends(TLS1_2_VERSION, GetParam());
  {
    Seen begun(memory_);
    ends.meet(*begun.parser, "backend{mesh=demo}", "kuma");
  }
  TlsMemory elsewhere = memory_;
  elsewhere.domain = 4;
  Seen seen(elsewhere);
  ends.meet(*seen.parser, "backend{mesh=demo}", "kuma");
  EXPECT_TRUE(ends.resumed);
  EXPECT_EQ(seen.server(), "unknown");
}

TEST(TlsIdentity13, StaysUnknown) {
  TlsIdentities identities(64, 7);
  Ends ends(TLS1_3_VERSION, Resume::by_ticket);
  Seen seen({&identities, nullptr, net::Ipv4{1}, 0});
  ends.meet(*seen.parser, "sni.msvc.demo.east.shop.backend.http", "kuma");
  EXPECT_EQ(seen.value(BufferId::weir_app, Direction::to_server), "kuma-mesh");
  EXPECT_EQ(seen.value(BufferId::weir_kuma_service, Direction::to_server), "backend");
  EXPECT_EQ(seen.value(BufferId::weir_kuma_zone, Direction::to_server), "east");
  EXPECT_EQ(seen.value(BufferId::weir_kuma_namespace, Direction::to_server), "shop");
  EXPECT_EQ(seen.client(), "unknown");
  EXPECT_EQ(seen.server(), "unknown");
  EXPECT_TRUE(identities.empty());
}

TEST(TlsLabels, OfHellos) {
  struct Row {
    const char *name, *alpn, *app, *service, *server;
  };
  const Row kRows[] = {
      {"kong_clustering", "", "kong-cluster", "", "spiffe://demo/backend"},
      {"kong_clustering.example.org", "", "", "", "spiffe://demo/backend"},
      {"a0123456789abcdef.redis.kuma-demo.6379.demo.ms", "kuma", "kuma-mesh", "redis.kuma-demo",
       "spiffe://demo/backend"},
      {"www.example.org", "kuma", "kuma-mesh", "", "spiffe://demo/backend"},
      {"backend{mesh=demo}", "h2", "", "", "spiffe://demo/backend"},
      {"", "kuma2", "", "", "spiffe://demo/backend"},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(std::string(row.name) + "/" + row.alpn);
    Ends ends(TLS1_2_VERSION, Resume::by_id);
    Seen seen(TlsMemory{});
    ends.meet(*seen.parser, row.name, row.alpn);
    EXPECT_EQ(seen.value(BufferId::weir_app, Direction::to_server), row.app);
    EXPECT_EQ(seen.value(BufferId::weir_kuma_service, Direction::to_server), row.service);
    EXPECT_EQ(seen.server(), row.server);
  }
}

TEST(TlsIdentities, AreBoundedAndEnd) {
  TlsIdentities table(8, 1);
  EXPECT_TRUE(table.empty());
  TlsIdentity identity;
  ASSERT_TRUE(identity.add(1, text("spiffe://demo/backend")));
  const auto token = [&](uint8_t n) {
    return table.token(TlsTokenKind::session_id, Octets{n}, net::Ipv4{1}, 0);
  };
  for (uint8_t n = 0; n < 9; ++n) EXPECT_TRUE(table.remember(token(n), identity, 100 + n));
  TlsIdentity found;
  EXPECT_FALSE(table.find(token(0), 200, found));  // it would have ended first
  EXPECT_TRUE(table.find(token(8), 200, found));
  std::string uri;
  found.for_each(
      [&](uint8_t side, std::span<const uint8_t> bytes) { uri = std::to_string(side) + as_text(bytes); });
  EXPECT_EQ(uri, "1spiffe://demo/backend");
  EXPECT_TRUE(table.find(token(8), 108 + TlsIdentities::kLifetimeNs, found));
  EXPECT_FALSE(table.find(token(8), 109 + TlsIdentities::kLifetimeNs, found));
  // Again for the same session: the entry is renewed, no other one goes.
  EXPECT_TRUE(table.remember(token(8), identity, 300));
  EXPECT_TRUE(table.find(token(1), 300, found));
  // What is too long for it.
  TlsIdentity full;
  EXPECT_FALSE(full.add(0, Octets(TlsIdentity::kMost, 'a')));
  EXPECT_TRUE(full.add(0, Octets(TlsIdentity::kMost - 3, 'a')));
  EXPECT_FALSE(full.add(0, {}));
}

}  // namespace
}  // namespace weir::inspection
