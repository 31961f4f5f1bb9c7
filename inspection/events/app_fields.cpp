#include "inspection/events/app_fields.h"

#include <algorithm>
#include <array>
#include <utility>

#include "inspection/app/byte_cursor.h"
#include "inspection/app/dns/dns_transaction.h"
#include "inspection/app/ftp/ftp_data.h"
#include "inspection/app/ftp/ftp_transaction.h"
#include "inspection/app/http/uri.h"
#include "inspection/app/http2/http2_transaction.h"
#include "inspection/app/labels/app_label.h"
#include "inspection/app/mime/fields.h"
#include "inspection/app/quic/quic_transaction.h"
#include "inspection/app/smtp/smtp_transaction.h"
#include "inspection/app/ssh/ssh_transaction.h"
#include "inspection/app/tls/tls_transaction.h"

namespace weir::inspection {

namespace {

// Of a list no more are told.
constexpr size_t kMostOfList = 32, kMostFields = 64;
constexpr size_t kFieldBytes = 1'024;
constexpr Direction kServer = Direction::to_server, kClient = Direction::to_client;

/// What weir.app, weir.kuma.* and weir.spiffe say of both directions together.
void write_labels(FieldWriter& fields, Transaction& transaction) {
  const AppLabel label = std::max(label_of(transaction, kServer), label_of(transaction, kClient));
  fields.text_if(Field::weir_app, name_of(label));
  if (transaction.protocol() != AppProtocol::tls) return;
  auto& tls = static_cast<TlsTransaction&>(transaction);
  KumaName name = kuma_name_of(tls, kServer);
  name.complete(kuma_name_of(tls, kClient));
  fields.text_if(Field::kuma_service, name.service);
  fields.text_if(Field::kuma_mesh, name.mesh);
  fields.text_if(Field::kuma_zone, name.zone);
  fields.text_if(Field::kuma_namespace, name.name_space);
  for (const auto& [way, field] :
       {std::pair(kServer, Field::spiffe_client), {kClient, Field::spiffe_server}}) {
    for (uint32_t i = 0; i < kMostOfList; ++i) {
      const auto uri = tls.buffer(BufferId::weir_spiffe, way, i);
      if (!uri) break;
      fields.bytes(field, uri->bytes);
    }
  }
}

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

void write_header(FieldWriter& fields, const Http2Transaction& http, Direction way, Field size, Field field) {
  for (uint32_t i = 0; const auto update = http.number(NumberId::http2_size_update, way, i); ++i)
    fields.number(size, *update);
  for (size_t i = 0; i < std::min(http.field_count(way), kMostFields); ++i) {
    const Http2Transaction::Field f = http.field(way, i);
    // Its name's length, the name, the value: as much as an event keeps.
    std::array<uint8_t, kFieldBytes> room;
    const size_t name = std::min<size_t>(f.name.size(), kFieldBytes / 2);
    const size_t value = std::min(f.value.size(), kFieldBytes - 2 - name);
    room[0] = static_cast<uint8_t>(name >> 8);
    room[1] = static_cast<uint8_t>(name);
    std::copy_n(f.name.begin(), name, room.begin() + 2);
    std::copy_n(f.value.begin(), value, room.begin() + 2 + static_cast<ptrdiff_t>(name));
    fields.bytes(field, std::span(room).first(2 + name + value));
  }
}

void write_frames(FieldWriter& fields, const Http2Transaction& http, Direction way, Field setting,
                  Field error) {
  for (uint32_t i = 0; const auto value = http.number(NumberId::http2_setting, way, i); ++i)
    fields.number(setting, *value);
  if (const auto code = http.number(NumberId::http2_error_code, way, 0)) fields.number(error, *code);
}

void write_http2(FieldWriter& fields, const Http2Transaction& http) {
  fields.text(Field::http_version, "2");
  fields.text_if(Field::http_method, http.find(kServer, ":method"));
  fields.text_if(Field::http_url, http.find(kServer, ":path"));
  const std::string_view authority = http.find(kServer, ":authority");
  const std::string_view host = authority.data() != nullptr ? authority : http.find(kServer, "host");
  fields.text_if(Field::http_hostname, http::split_authority(host).host);
  fields.text_if(Field::http_user_agent, http.find(kServer, "user-agent"));
  const std::string_view type = http.find(kClient, "content-type");
  fields.text_if(Field::http_content_type, type.substr(0, type.find(';')));
  const std::string_view status = http.find(kClient, ":status");
  unsigned code = 0;
  for (const char c : status)
    code = c >= '0' && c <= '9' && code < 1'000 ? code * 10 + static_cast<unsigned>(c - '0') : 1'000;
  if (code > 0 && code < 1'000) fields.number(Field::http_status, code);
  if (const auto length = http.number(NumberId::http_content_length, kClient, 0)) {
    fields.number(Field::http_length, *length);
  } else if (http.body_bytes(kClient) > 0) {
    fields.number(Field::http_length, http.body_bytes(kClient));
  }
  fields.number(Field::http2_stream, http.stream());
  if (const auto priority = http.number(NumberId::http2_priority, kServer, 0))
    fields.number(Field::http2_request_priority, *priority);
  write_frames(fields, http, kServer, Field::http2_request_setting, Field::http2_request_error);
  write_frames(fields, http, kClient, Field::http2_response_setting, Field::http2_response_error);
  write_header(fields, http, kServer, Field::http2_request_size, Field::http2_request_header);
  write_header(fields, http, kClient, Field::http2_response_size, Field::http2_response_header);
}

void write_addresses(FieldWriter& fields, Field field, std::string_view list) {
  for (size_t i = 0; i < kMostOfList && !list.empty(); ++i) fields.text_if(field, take_address(list));
}

void write_mail(FieldWriter& fields, const SmtpTransaction& smtp, const MailMessage& mail) {
  const auto value = [&](std::string_view name) { return mail.field(name).value_or(std::string_view{}); };
  fields.text_if(Field::email_from, value("from"));
  write_addresses(fields, Field::email_to, value("to"));
  write_addresses(fields, Field::email_cc, value("cc"));
  fields.text_if(Field::email_subject, value("subject"));
  fields.text_if(Field::email_date, value("date"));
  fields.text_if(Field::email_message_id, value("message-id"));
  fields.text_if(Field::email_x_mailer, value("x-mailer"));
  fields.text(Field::email_status, "PARSE_DONE");  // Suricata 8 says nothing else
  if (!mail.body_md5().empty()) fields.text(Field::email_body_md5, mail.body_md5());
  for (size_t i = 0; i < std::min(smtp.file_count(kServer), kMostOfList); ++i)
    fields.text_if(Field::email_attachment, smtp.file(kServer, i).name);
  // The last ones first, as Suricata has them.
  const size_t urls = mail.urls().count();
  for (size_t i = 0; i < std::min(urls, kMostOfList); ++i)
    fields.bytes(Field::email_url, mail.urls().url(urls - 1 - i));
  for (size_t i = 0; i < kMostOfList; ++i) {
    const auto received = mail.field("received", i);
    if (!received) return;
    fields.text(Field::email_received, *received);
  }
}

void write_smtp(FieldWriter& fields, const SmtpTransaction& smtp) {
  fields.text_if(Field::smtp_helo, smtp.helo());
  fields.text_if(Field::smtp_mail_from, smtp.mail_from());
  for (size_t i = 0; i < std::min(smtp.recipient_count(), kMostOfList); ++i)
    fields.text_if(Field::smtp_rcpt_to, smtp.recipient(i));
  const MailMessage* const mail = smtp.message();
  if (mail != nullptr && mail->has_header()) write_mail(fields, smtp, *mail);
}

void write_ftp(FieldWriter& fields, const FtpTransaction& ftp) {
  fields.text_if(Field::ftp_command, ftp.command());
  if (!ftp.argument().empty()) {
    fields.text(Field::ftp_command_data, ftp.argument());
    fields.flag(Field::ftp_command_truncated, ftp.command_cut());
  }
  const size_t replies = std::min(ftp.reply_count(), kMostOfList);
  for (size_t i = 0; i < replies; ++i) fields.text_if(Field::ftp_completion_code, ftp.code(i));
  for (size_t i = 0; i < replies; ++i) fields.text_if(Field::ftp_reply, ftp.reply(i));
  if (ftp.port() != 0) {
    fields.number(Field::ftp_dynamic_port, ftp.port());
    fields.text(Field::ftp_mode, ftp.mode() == FtpMode::active ? "active" : "passive");
  }
  fields.text(Field::ftp_reply_received, ftp.replied() ? "yes" : "no");
  fields.flag(Field::ftp_reply_truncated, ftp.reply_cut());
}

}  // namespace

void write_transaction(FieldWriter& fields, Transaction& transaction) {
  write_labels(fields, transaction);
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
    case AppProtocol::http2:
      return write_http2(fields, static_cast<const Http2Transaction&>(transaction));
    case AppProtocol::ftp:
      return write_ftp(fields, static_cast<const FtpTransaction&>(transaction));
    case AppProtocol::ftp_data: {
      const auto& data = static_cast<const FtpDataTransaction&>(transaction);
      fields.text_if(Field::ftp_data_command, data.command());
      fields.text_if(Field::ftp_data_filename, data.file_name());
      return;
    }
    case AppProtocol::smtp:
      return write_smtp(fields, static_cast<const SmtpTransaction&>(transaction));
    default:
      return;
  }
}

void write_file(FieldWriter& fields, const Transaction& transaction, const AppFile& file) {
  static constexpr std::string_view kStates[] = {"UNKNOWN", "CLOSED", "TRUNCATED"};
  fields.text(Field::file_name, file.name);
  fields.text_if(Field::file_magic, file.magic);
  fields.flag(Field::file_gaps, file.gaps);
  fields.text(Field::file_state, kStates[static_cast<size_t>(file.state)]);
  if (file.state == AppFile::State::closed) {
    if ((file.hashes & http::kHashMd5) != 0) fields.bytes(Field::file_md5, file.digests.md5);
    if ((file.hashes & http::kHashSha1) != 0) fields.bytes(Field::file_sha1, file.digests.sha1);
    if ((file.hashes & http::kHashSha256) != 0) fields.bytes(Field::file_sha256, file.digests.sha256);
  }
  fields.flag(Field::file_stored, false);
  fields.number(Field::file_size, file.size);
  fields.number(Field::file_tx, transaction.id);
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
