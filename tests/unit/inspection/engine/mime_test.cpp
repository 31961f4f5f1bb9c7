// MIME: encodings, parameters, messages with parts, addresses in their text.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "inspection/app/mime/fields.h"
#include "inspection/app/mime/message.h"
#include "tests/unit/inspection/engine/bytes.h"

namespace weir::inspection {
namespace {

using namespace test;
using Encoding = MimeDecoder::Encoding;

/// Lines in pieces of at most `piece` bytes, as the parser of SMTP gives them.
template <typename F>
void each_piece(const std::string& mail, size_t piece, F&& give) {
  size_t at = 0;
  while (at < mail.size()) {
    const size_t end = std::min(mail.find('\n', at), mail.size() - 1) + 1;
    std::string line = mail.substr(at, end - at), tail;
    at = end;
    if (line.ends_with("\r\n")) {
      tail = "\r\n";
    } else if (line.ends_with("\n")) {
      tail = "\n";
    }
    line.resize(line.size() - tail.size());
    bool begins = true;
    while (line.size() > piece) {
      give(text(line.substr(0, piece)), Octets{}, begins);
      line.erase(0, piece);
      begins = false;
    }
    give(text(line), text(tail), begins);
  }
}

std::string decoded(Encoding encoding, const std::string& bytes, size_t piece, bool* invalid = nullptr) {
  MimeDecoder decoder;
  decoder.begin(encoding);
  std::string out;
  std::vector<uint8_t> room;
  each_piece(bytes, piece, [&](const Octets& content, const Octets& end, bool) {
    room.resize(content.size() + end.size() + MimeDecoder::kSlack);
    const size_t size = decoder.decode(content, end, room);
    out.append(room.begin(), room.begin() + static_cast<ptrdiff_t>(size));
  });
  room.resize(MimeDecoder::kSlack);
  const size_t size = decoder.finish(room);
  out.append(room.begin(), room.begin() + static_cast<ptrdiff_t>(size));
  if (invalid != nullptr) *invalid = decoder.invalid();
  return out;
}

struct DecoderRow {
  Encoding encoding;
  const char* encoded;
  const char* plain;
  bool invalid = false;
};
constexpr DecoderRow kDecoderRows[] = {
    {Encoding::plain, "one\r\ntwo\r\n", "one\r\ntwo"},  // the last line end belongs to the boundary
    {Encoding::base64, "SGVsbG8=\r\n", "Hello"},
    {Encoding::base64, "SGVs\r\nbG8\r\n", "Hello"},            // not padded
    {Encoding::base64, "SG Vs bG 8=\r\n", "Hello"},            // blanks in it
    {Encoding::base64, "SGVsbG8=SGVsbG8=\r\n", "HelloHello"},  // one behind the other
    {Encoding::base64, "SG*VsbG8=\r\n", "Hello", true},
    {Encoding::base64, "=\r\nS\r\n", ""},
    {Encoding::quoted_printable, "a=3Db=\r\nc \r\n", "a=bc "},
    {Encoding::quoted_printable, "a=3db= \t\r\nc\r\n", "a=bc"},
    {Encoding::quoted_printable, "a=zz=4\r\n", "a=zz=4", true},
};

TEST(MimeDecoder, DecodesLinesInAnyPieces) {
  for (const DecoderRow& row : kDecoderRows) {
    for (const size_t piece : {1u, 2u, 3u, 7u, 100u}) {
      SCOPED_TRACE(std::string(row.encoded) + " by " + std::to_string(piece));
      // A soft line break with blanks behind it is only known as one where the line is whole.
      if (piece < 100 && std::string_view(row.encoded).find("= \t") != std::string_view::npos) continue;
      bool invalid = false;
      EXPECT_EQ(decoded(row.encoding, row.encoded, piece, &invalid), row.plain);
      EXPECT_EQ(invalid, row.invalid);
    }
  }
}

TEST(MimeFields, ParametersInAllTheirForms) {
  const auto read = [](const char* field, const char* name) {
    std::array<char, 32> room;
    bool cut = false;
    const std::string value(mime_parameter(field, name, room, cut));
    return value + (cut ? "..." : "");
  };
  EXPECT_EQ(read("attachment; filename=a.txt", "filename"), "a.txt");
  EXPECT_EQ(read("attachment; filename=a b.txt ; x=1", "filename"), "a b.txt");
  EXPECT_EQ(read("attachment; x=\";filename=no\"; FileName=\"a\\\"b.txt\"", "filename"), "a\"b.txt");
  EXPECT_EQ(read("attachment; filename*0=one-; filename*1=\"two.txt\"", "filename"), "one-two.txt");
  EXPECT_EQ(read("attachment; filename*1=two.txt; filename*0=one-", "filename"), "one-two.txt");
  EXPECT_EQ(read("attachment; filename*=utf-8'en'a%20b.txt", "filename"), "a b.txt");
  EXPECT_EQ(read("attachment; filename*0*=utf-8''a%20; filename*1=b", "filename"), "a b");
  EXPECT_EQ(read("attachment", "filename"), "");
  EXPECT_EQ(read("attachment; filename", "filename"), "");
  EXPECT_EQ(read("attachment; filename=\"0123456789012345678901234567890123456789\"", "filename"),
            "01234567890123456789012345678901...");
  EXPECT_EQ(mime_value(" text/plain ; x=1"), "text/plain");
}

TEST(MimeFields, AddressesEndAtCommasOutsideOfQuotes) {
  std::string_view list = " \"a, b\" <a@x.org>,c@x.org ,, \"d\\\", e\" <d@x.org>";
  std::vector<std::string> found;
  while (!list.empty()) found.emplace_back(take_address(list));
  EXPECT_EQ(found, (std::vector<std::string>{"\"a, b\" <a@x.org>", "c@x.org", "", "\"d\\\", e\" <d@x.org>"}));
}

class Mail : public testing::Test {
 protected:
  void read(const std::string& mail, size_t piece = MailMessage::kPiece) {
    message_.emplace(pool_, settings_, *files_);
    each_piece(mail, piece, [&](const Octets& content, const Octets& end, bool begins) {
      if (message_->may_open_file()) note();
      ASSERT_TRUE(message_->line(content, end, begins));
    });
    ASSERT_TRUE(message_->finish(false));
    note();
  }
  /// The window of a file, before the next one begins.
  void note() {
    if (files_->count() == contents_.size()) return;
    contents_.push_back(as_text(files_->data()->bytes));
  }
  std::vector<std::string> names() {
    std::vector<std::string> all;
    for (size_t i = 0; i < files_->count(); ++i) all.emplace_back(files_->file(i).name);
    return all;
  }
  std::vector<std::string> urls() {
    std::vector<std::string> all;
    for (size_t i = 0; i < message_->urls().count(); ++i) all.push_back(as_text(message_->urls().url(i)));
    return all;
  }

  BytePool pool_{4 << 20};
  HttpLimits limits_;
  MimeSettings settings_;
  uint32_t awaited_ = 0;
  std::optional<FileList> files_{std::in_place, pool_, limits_, awaited_};
  std::optional<MailMessage> message_;
  std::vector<std::string> contents_;
};

using Names = std::vector<std::string>;

TEST_F(Mail, FieldsAreUnfolded) {
  read("Subject: one\r\n two\r\nTO: a@x.org\r\nno field\r\n: \r\nReceived: 1\r\nReceived: 2\r\n\r\nbody\r\n");
  EXPECT_EQ(message_->field("subject"), "onetwo");
  EXPECT_EQ(message_->field("to"), "a@x.org");
  EXPECT_EQ(message_->field("received", 1), "2");
  EXPECT_EQ(message_->field("received", 2), std::nullopt);
  EXPECT_EQ(message_->field("cc"), std::nullopt);
  EXPECT_EQ(message_->oddities(), 0);
}

constexpr const char* kNested =
    "Content-Type: multipart/mixed; boundary=A\r\n\r\npreamble http://not.here/\r\n--A\r\n"
    "Content-Type: multipart/alternative; boundary=\"AA\"\r\n\r\n--AA\r\n\r\nhttp://one.org/ x\r\n--AA\r\n"
    "Content-Type: text/html; name=in.html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    "a=3Dhttp://two.org/\r\n--AA--\r\n--A\r\nContent-Disposition: attachment; filename=b.bin\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\nSGVs\r\nbG8=\r\n--A \r\n"
    "Content-Type: application/x; name=c\r\n\r\nline\r\n--A-no boundary\r\n--A--\r\nhttp://epilogue.org/\r\n";

TEST_F(Mail, PartsInPartsAreFilesIfTheyHaveNames) {
  for (const size_t piece : {size_t{3}, MailMessage::kPiece}) {
    SCOPED_TRACE(piece);
    files_.emplace(pool_, limits_, awaited_);
    contents_.clear();
    // Boundaries are told by the piece that begins the line.
    read(kNested, piece == 3 ? 64 : piece);
    EXPECT_EQ(names(), (Names{"in.html", "b.bin", "c"}));
    EXPECT_EQ(contents_, (Names{"a=http://two.org/", "Hello", "line\r\n--A-no boundary"}));
    EXPECT_EQ(urls(), (Names{"one.org/", "two.org/"}));
  }
}

TEST_F(Mail, AMessageInAMessageBringsItsFiles) {
  read(
      "Subject: out\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n"
      "Content-Type: multipart/mixed; boundary=I\r\n\r\n--I\r\n"
      "Content-Disposition: attachment; filename=m.exe\r\n\r\npayload\r\n--I--\r\n");
  EXPECT_EQ(names(), Names{"m.exe"});
  EXPECT_EQ(contents_, Names{"payload"});
  EXPECT_EQ(message_->field("subject"), "out");
  EXPECT_EQ(message_->field("subject", 1), std::nullopt);
}

TEST_F(Mail, OdditiesAreTold) {
  read(std::string(80, 'n') + ": v\r\nX: " + std::string(2'001, 'v') + "\r\nContent-Type: x; name=\"" +
       std::string(300, 'f') + "\"; boundary=\"" + std::string(300, 'b') +
       "\"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + std::string(1'000, 'A') + "\r\n*\r\n");
  EXPECT_EQ(message_->oddities(), kMailInvalidBase64 | kMailLongLine | kMailLongEncodedLine |
                                      kMailLongFieldName | kMailLongFieldValue | kMailLongBoundary |
                                      kMailLongFileName);
  EXPECT_EQ(names()[0].size(), MailMessage::kFileName);
}

TEST_F(Mail, DepthIsBounded) {
  std::string mail;
  for (int i = 0; i < 40; ++i)
    mail += "Content-Type: multipart/mixed; boundary=b" + std::to_string(i) + "\r\n\r\n--b" +
            std::to_string(i) + "\r\n";
  read(mail);
  EXPECT_NE(message_->oddities() & kMailTooDeep, 0);
  std::string messages;
  for (int i = 0; i < 40; ++i) messages += "Content-Type: message/rfc822\r\n\r\n";
  read(messages);
  EXPECT_NE(message_->oddities() & kMailTooDeep, 0);
}

TEST_F(Mail, AnAbsentEndTruncatesTheFile) {
  message_.emplace(pool_, settings_, *files_);
  ASSERT_TRUE(message_->line(text("Content-Type: a; name=b"), text("\n"), true));
  ASSERT_TRUE(message_->line({}, text("\n"), true));
  ASSERT_TRUE(message_->line(text("data"), {}, true));
  message_->gap(10);
  ASSERT_TRUE(message_->finish(true));
  EXPECT_EQ(files_->file(0).state, AppFile::State::truncated);
  EXPECT_TRUE(files_->file(0).gaps);
  EXPECT_EQ(files_->file(0).size, 14u);
}

TEST_F(Mail, AllMemoryGoesBack) {
  settings_.body_md5 = true;
  limits_.file_hashes = 7;
  read(kNested);
  EXPECT_EQ(message_->body_md5().size(), 32u);
  message_.reset();
  files_.reset();
  EXPECT_EQ(pool_.used(), 0u);
}

TEST_F(Mail, WithoutMemoryItSaysSo) {
  BytePool small(BytePool::kLargest);
  std::vector<void*> taken;
  while (void* const block = small.allocate(BytePool::kSmallest)) taken.push_back(block);
  {
    FileList files(small, limits_, awaited_);
    MailMessage message(small, settings_, files);
    EXPECT_FALSE(message.line(text("Subject: one"), text("\n"), true));
  }
  for (void* const block : taken) small.release(block, BytePool::kSmallest);
  EXPECT_EQ(small.used(), 0u);
}

}  // namespace
}  // namespace weir::inspection
