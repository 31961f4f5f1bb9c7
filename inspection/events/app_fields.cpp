#include "inspection/events/app_fields.h"

#include "inspection/app/byte_cursor.h"
#include "inspection/app/dns/dns_transaction.h"
#include "inspection/app/quic/quic_transaction.h"
#include "inspection/app/ssh/ssh_transaction.h"
#include "inspection/app/tls/tls_transaction.h"

namespace weir::inspection {

namespace {

constexpr Direction kServer = Direction::to_server, kClient = Direction::to_client;

void write_http(FieldWriter& fields, HttpTransaction& http) {
  fields.text_if(Field::http_hostname, http.hostname());
  if (http.host_port() != 0) fields.number(Field::http_port, http.host_port());
  fields.text_if(Field::http_url, http.raw_uri());
  fields.text_if(Field::http_user_agent, http.field(kServer, "user-agent"));
  fields.text_if(Field::http_xff, http.field(kServer, "x-forwarded-for"));
  const std::string_view type = http.field(kClient, "content-type");
  fields.text_if(Field::http_content_type, type.substr(0, type.find(';')));
  fields.text_if(Field::http_refer, http.field(kServer, "referer"));
  fields.text_if(Field::http_method, http.method());
  fields.text_if(Field::http_protocol,
                 http.has_request() ? http.request_protocol() : http.response_protocol());
  if (http.status() != 0) fields.number(Field::http_status, http.status());
  if (http.status() / 100 == 3) fields.text_if(Field::http_redirect, http.field(kClient, "location"));
  fields.number(Field::http_length, http.body_bytes(kClient));
}

/// Which fields a side's certificate has.
struct CertificateFields {
  Field subject, issuer, alternative, serial, fingerprint;
};

void write_certificate(FieldWriter& fields, const TlsTransaction& tls, Direction side,
                       const CertificateFields& names) {
  if (tls.certificate_count(side) == 0) return;
  const Certificate& certificate = tls.certificate(side);
  const auto piece = [&](Field field, Certificate::Piece at) {
    if (at.size > 0) fields.bytes(field, certificate.view(at));
  };
  piece(names.subject, certificate.subject);
  piece(names.issuer, certificate.issuer);
  for (size_t i = 0; i < certificate.alternative_count; ++i)
    fields.bytes(names.alternative, certificate.view(certificate.alternative[i]));
  piece(names.serial, certificate.serial);
  piece(names.fingerprint, certificate.fingerprint);
}

void write_hash(FieldWriter& fields, const TlsHello& hello, Field hash, Field text) {
  if (!hello.has_hash) return;
  fields.bytes(hash, hello.fingerprint_hash);
  fields.bytes(text, hello.fingerprint.view());
}

void write_names(FieldWriter& fields, const TlsTransaction& tls, Direction side, Field field) {
  for (size_t i = 0;; ++i) {
    const auto name = tls.alpn(side, i);
    if (name.empty()) return;
    fields.bytes(field, name);
  }
}

void write_tls(FieldWriter& fields, const TlsTransaction& tls) {
  const TlsHello& client = tls.hello(kServer);
  fields.number(Field::tls_version, tls.version());
  if (tls.resumed()) fields.flag(Field::tls_resumed, true);
  if (client.has_name && !client.names.empty()) fields.bytes(Field::tls_sni, client.names.view());
  const Certificate& certificate = tls.certificate(kClient);
  if (certificate.has_times) {
    fields.number(Field::tls_not_before, static_cast<uint64_t>(certificate.not_before));
    fields.number(Field::tls_not_after, static_cast<uint64_t>(certificate.not_after));
  }
  if (!client.ja4.empty()) fields.bytes(Field::tls_ja4, client.ja4.view());
  write_hash(fields, client, Field::tls_ja3_hash, Field::tls_ja3);
  write_hash(fields, tls.hello(kClient), Field::tls_ja3s_hash, Field::tls_ja3s);
  // What may be long, or many, comes last: the rest has room.
  write_names(fields, tls, kServer, Field::tls_client_alpn);
  write_names(fields, tls, kClient, Field::tls_server_alpn);
  write_certificate(fields, tls, kClient,
                    {Field::tls_subject, Field::tls_issuer, Field::tls_alternative, Field::tls_serial,
                     Field::tls_fingerprint});
  write_certificate(fields, tls, kServer,
                    {Field::tls_client_subject, Field::tls_client_issuer, Field::tls_client_alternative,
                     Field::tls_client_serial, Field::tls_client_fingerprint});
}

void bytes_if(FieldWriter& fields, Field field, std::span<const uint8_t> bytes) {
  if (!bytes.empty()) fields.bytes(field, bytes);
}

/// Which fields a side of SSH has.
struct SshFields {
  Field proto, software, hassh, hassh_string;
};

void write_ssh(FieldWriter& fields, const SshTransaction::Side& side, const SshFields& names) {
  bytes_if(fields, names.proto, side.protocol.view());
  bytes_if(fields, names.software, side.software.view());
  if (side.hassh.empty()) return;
  fields.bytes(names.hassh, side.hassh_hash);
  fields.bytes(names.hassh_string, side.hassh.view());
}

void write_quic(FieldWriter& fields, const QuicTransaction& quic) {
  fields.number(Field::quic_version, quic.version());
  bytes_if(fields, Field::quic_sni, quic.server_name());
  bytes_if(fields, Field::quic_ua, quic.user_agent());
  bytes_if(fields, Field::quic_cyu_hash, quic.cyu_hash());
  bytes_if(fields, Field::quic_cyu, quic.cyu());
  const TlsHello& hello = quic.hello();
  if (!hello.seen) return;
  const bool client = quic.direction() == kServer;
  write_hash(fields, hello, client ? Field::quic_ja3_hash : Field::quic_ja3s_hash,
             client ? Field::quic_ja3 : Field::quic_ja3s);
  bytes_if(fields, Field::quic_ja4, hello.ja4.view());
  bytes_if(fields, Field::quic_extensions, hello.extensions.view());
  bytes_if(fields, Field::quic_extension_name, quic.server_name());
  ByteCursor alpns(hello.alpns.view());
  for (std::span<const uint8_t> name; alpns.vector8(name);) fields.bytes(Field::quic_extension_alpn, name);
}

}  // namespace

void write_transaction(FieldWriter& fields, Transaction& transaction) {
  switch (transaction.protocol()) {
    case AppProtocol::http1:
      return write_http(fields, static_cast<HttpTransaction&>(transaction));
    case AppProtocol::tls:
      return write_tls(fields, static_cast<const TlsTransaction&>(transaction));
    case AppProtocol::ssh: {
      const auto& ssh = static_cast<const SshTransaction&>(transaction);
      write_ssh(fields, ssh.side(kServer),
                {Field::ssh_client_proto, Field::ssh_client_software, Field::ssh_client_hassh,
                 Field::ssh_client_hassh_string});
      return write_ssh(fields, ssh.side(kClient),
                       {Field::ssh_server_proto, Field::ssh_server_software, Field::ssh_server_hassh,
                        Field::ssh_server_hassh_string});
    }
    case AppProtocol::quic:
      return write_quic(fields, static_cast<const QuicTransaction&>(transaction));
    case AppProtocol::dns: {
      const auto& dns = static_cast<const DnsTransaction&>(transaction);
      fields.flag(Field::dns_from_server, dns.direction() == kClient);
      fields.bytes(Field::dns_message, dns.message());
      return;
    }
    default:
      return;
  }
}

void write_file(FieldWriter& fields, const HttpTransaction& http, const HttpFile& file) {
  static constexpr std::string_view kStates[] = {"UNKNOWN", "CLOSED", "TRUNCATED"};
  fields.text(Field::file_name, file.name);
  fields.flag(Field::file_gaps, file.gaps);
  fields.text(Field::file_state, kStates[static_cast<size_t>(file.state)]);
  if (file.state == HttpFile::State::closed) {
    if ((file.hashes & http::kHashMd5) != 0) fields.bytes(Field::file_md5, file.digests.md5);
    if ((file.hashes & http::kHashSha1) != 0) fields.bytes(Field::file_sha1, file.digests.sha1);
    if ((file.hashes & http::kHashSha256) != 0) fields.bytes(Field::file_sha256, file.digests.sha256);
  }
  fields.flag(Field::file_stored, false);
  fields.number(Field::file_size, file.size);
  fields.number(Field::file_tx, http.id);
}

std::string_view forwarded_for(std::string_view list, bool last) {
  constexpr std::string_view kBlank = " \t";
  const size_t comma = last ? list.rfind(',') : list.find(',');
  if (comma != std::string_view::npos) list = last ? list.substr(comma + 1) : list.substr(0, comma);
  const size_t begin = list.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return list.substr(begin, list.find_last_not_of(kBlank) + 1 - begin);
}

}  // namespace weir::inspection
