// Framing, codings and forms: what a browser would see is what rules see.
#include <gtest/gtest.h>

#include "tests/unit/inspection/http/reading.h"

namespace weir::inspection::test {
namespace {

using namespace std::string_literals;

struct BodyRow {
  std::string name;
  std::string fields;  // of the response
  std::string body;
  std::string expected;  // of file.data, once the stream is closed
  std::string events;
};

const std::string kText =
    "A text that is somewhat longer, so that there is something to press together together together.";
const std::string kChunks = "6\r\nA text\r\n" + std::string("59\r\n") + kText.substr(6) + "\r\n0\r\n\r\n";

std::string with_flags(uint8_t flags, const std::string& more) {
  std::string coded = gzip(kText);
  coded[3] = static_cast<char>(flags);
  return coded.insert(10, more);
}

std::string cut(const std::string& text, size_t from_end) { return text.substr(0, text.size() - from_end); }

std::string altered_at_end(std::string text, size_t from_end) {
  text[text.size() - from_end] ^= 0x55;
  return text;
}

std::vector<BodyRow> rows() {
  const std::string te = "Transfer-Encoding: chunked\r\n";
  const std::string odd = "invalid_transfer_encoding_value_in_response response_abnormal_transfer_encoding";
  std::vector<BodyRow> all = {
      {"length", "Content-Length: 3\r\n", "abcdef", "abc", ""},
      {"length_too_great", "Content-Length: 30\r\n", "abc", "abc", ""},
      {"to_the_end", "", "abc", "abc", ""},
      {"lengths_that_differ", "Content-Length: 2\r\nContent-Length: 4\r\n", "abcd", "abcd",
       "duplicate_content_length_field_in_response"},
      {"two_numbers", "Content-Length: 4 2\r\n", "abcd", "abcd", "invalid_content_length_field_in_response"},
      {"comma_before", "Content-Length: ,4\r\n", "abcd", "abcd", "invalid_content_length_field_in_response"},
      {"no_number", "Content-Length: x\r\n", "abcd", "abcd", "invalid_content_length_field_in_response"},
      {"huge_length", "Content-Length: 99999999999999999999999\r\n", "abcd", "abcd",
       "invalid_content_length_field_in_response"},
      {"folded_length", "Content-Length:\r\n 4\r\n", "abcd", "abcd", ""},
      {"chunked", te, kChunks, kText, ""},
      {"chunks_and_length", te + "Content-Length: 3\r\n", kChunks, kText, ""},
      {"upper_case_size", te, "A\r\n0123456789\r\n0\r\n\r\n", "0123456789", ""},
      {"leading_zeros", te, std::string(100, '0') + "3\r\nabc\r\n0\r\n\r\n", "abc", ""},
      {"space_behind_size", te, "3 \r\nabc\r\n0\r\n\r\n", "abc", ""},
      {"space_before_size", te, " 3\r\nabc\r\n 0\r\n\r\n", "abc", ""},
      {"empty_lines_before_size", te, "\r\n\n3\r\nabc\r\n\r\n2\r\nde\r\n0\r\n\r\n", "abcde", ""},
      {"junk_behind_size", te, "3x\r\nabc\r\n0\r\n\r\n", "abc", ""},
      {"nul_behind_size", te, "3\0\r\nabc\r\n0\r\n\r\n"s, "abc", ""},
      {"extension", te, "3;a=\"b\"\r\nabc\r\n0;x\r\n\r\n", "abc", "response_chunk_extension"},
      {"line_feeds", te, "3\nabc\n0\n\n", "abc", ""},
      {"size_too_great", te, "30\r\nabc", "abc", ""},
      {"huge_size", te, "fffffffffffffffff\r\nabc", "fffffffffffffffff\r\nabc", "invalid_response_chunk_len"},
      {"no_last_chunk", te, "3\r\nabc\r\n", "abc", ""},
      {"trailer", te, "3\r\nabc\r\n0\r\nX: y\r\nZ: z\r\n\r\n", "abc", ""},
      {"said_but_not_chunked", te, kText, kText, "invalid_response_chunk_len"},
      {"said_but_not_chunked_with_length", te + "Content-Length: 4\r\n", "x = y",
       "x = ", "invalid_response_chunk_len"},
      {"a_word_like_a_size", te, "Dear customer, this is no size\r\n", "Dear customer, this is no size\r\n",
       "invalid_response_chunk_len"},
      {"bad_size_later", te, "3\r\nabc\r\nxyz", "abcyz", "invalid_response_chunk_len"},
      {"old_protocol_chunked", te, kChunks, kText, "response_chunked_old_proto"},
      {"gzip", "Content-Encoding: gzip\r\n", gzip(kText), kText, ""},
      {"x_gzip", "Content-Encoding: x-gzip\r\n", gzip(kText), kText, ""},
      {"upper_case_gzip", "content-ENCODING: GZip\r\n", gzip(kText), kText, ""},
      {"deflate_zlib", "Content-Encoding: deflate\r\n", zlib(kText), kText, ""},
      {"deflate_bare", "Content-Encoding: deflate\r\n", bare_deflate(kText), kText, ""},
      {"gzip_said_deflate_sent", "Content-Encoding: gzip\r\n", zlib(kText), kText, ""},
      {"deflate_said_gzip_sent", "Content-Encoding: deflate\r\n", gzip(kText), kText, ""},
      {"gzip_said_text_sent", "Content-Encoding: gzip\r\n", "X" + kText, "X" + kText,
       "gzip_decompression_failed"},
      {"gzip_said_one_byte_sent", "Content-Encoding: gzip\r\n", "X", "X", ""},
      {"two_layers", "Content-Encoding: gzip, deflate\r\n", zlib(gzip(kText)), kText, ""},
      {"two_fields", "Content-Encoding: deflate\r\nContent-Encoding: gzip\r\n", gzip(bare_deflate(kText)),
       kText, ""},
      {"two_said_one_sent", "Content-Encoding: gzip, gzip\r\n", gzip("X" + kText), "X" + kText,
       "gzip_decompression_failed"},
      {"three_layers", "Content-Encoding: gzip, gzip, gzip\r\n", gzip(gzip(gzip(kText))), kText, ""},
      {"identity", "Content-Encoding: identity\r\n", kText, kText, ""},
      {"identity_and_gzip", "Content-Encoding: identity, gzip\r\n", gzip(kText), kText, ""},
      {"gzip_in_transfer_encoding", "Transfer-Encoding: gzip\r\n", gzip(kText), kText,
       "invalid_transfer_encoding_value_in_response"},
      {"truncated", "Content-Encoding: gzip\r\n", cut(gzip(kText), 8), kText, ""},
      {"broken_checksum", "Content-Encoding: gzip\r\n", altered_at_end(gzip(kText), 6), kText, ""},
      {"broken_zlib_checksum", "Content-Encoding: deflate\r\n", altered_at_end(zlib(kText), 2), kText, ""},
      {"broken_size", "Content-Encoding: gzip\r\n", altered_at_end(gzip(kText), 2), kText, ""},
      {"trailing_garbage", "Content-Encoding: gzip\r\n", gzip(kText) + "garbage", kText, ""},
      {"two_members", "Content-Encoding: gzip\r\n", gzip("one ") + gzip("two"), "one two", ""},
      {"broken_member_behind_a_short_one", "Content-Encoding: gzip\r\n",
       gzip("one") + "\x1f\x8b\x08\0\0\0\0\0\0\x03\xff\xff"s, "one", "gzip_decompression_failed"},
      {"extra_field", "Content-Encoding: gzip\r\n", with_flags(4, "\x03\0xyz"s), kText, ""},
      {"file_name", "Content-Encoding: gzip\r\n", with_flags(8, "name\0"s), kText, ""},
      {"name_and_comment", "Content-Encoding: gzip\r\n", with_flags(24, "a\0b\0"s), kText, ""},
      {"head_checksum", "Content-Encoding: gzip\r\n", with_flags(2, "\0\0"s), kText, ""},
      {"reserved_flags", "Content-Encoding: gzip\r\n", with_flags(0xe0, ""), kText, ""},
      {"gzip_in_chunks", te + "Content-Encoding: gzip\r\n",
       "a\r\n" + gzip(kText).substr(0, 10) + "\r\n1000\r\n" + gzip(kText).substr(10), kText, ""},
      {"refused_coding", "Content-Encoding: br\r\n", "\x0b\x02", "\x0b\x02", "abnormal_ce_header"},
      {"unknown_coding", "Content-Encoding: rot13\r\n", "abc", "abc", "abnormal_ce_header"},
      {"nothing", "Content-Length: 0\r\n", "", "(none)", ""},
  };
  for (const char* spelling :
       {"x,chunked", "chunked;", "xchunked", "x \r\n chunked", ": chunked", "\"chunked\""}) {
    all.push_back({"spelling_" + std::to_string(all.size()), "Transfer-Encoding: "s + spelling + "\r\n",
                   kChunks, kText, odd});
  }
  all.push_back({"nul_in_the_word", "Transfer-Encoding: chun\0ked\r\n"s, kChunks, kText, odd});
  all.push_back({"vertical_tab_before_the_word", "Transfer-Encoding: \vchunked\r\n", kChunks, kText, ""});
  for (const char* name : {"Transfer-Encoding ", "Transfer-Encoding\v"}) {
    all.push_back({"name_" + std::to_string(all.size()), name + ": chunked\r\n"s, kChunks, kText,
                   "response_header_invalid"});
  }
  all.push_back({"nul_in_the_name", "Transfer\0-Encoding: chunked\r\n"s, kChunks, kText,
                 "invalid_transfer_encoding_value_in_response response_header_invalid "
                 "response_abnormal_transfer_encoding"});
  return all;
}

class Bodies : public testing::TestWithParam<BodyRow> {};

TEST_P(Bodies, AreWhatABrowserSees) {
  const BodyRow& row = GetParam();
  const std::string version = row.name.starts_with("old_protocol") ? "HTTP/1.0" : "HTTP/1.1";
  for (const size_t portion : {size_t{0}, size_t{1}, size_t{5}}) {
    Reading reading;
    reading.client(kGet).server(version + " 200 ok\r\n" + row.fields + "\r\n" + row.body, portion).close();
    ASSERT_GE(reading.done.size(), 1U);
    EXPECT_EQ(reading.done[0]["file.data<"], row.expected) << "in portions of " << portion;
    EXPECT_EQ(reading.done[0]["http.response_body<"], row.expected);
    EXPECT_EQ(reading.done[0].events, row.events);
  }
}

INSTANTIATE_TEST_SUITE_P(Table, Bodies, testing::ValuesIn(rows()),
                         [](const auto& row) { return row.param.name; });

TEST(HttpBodies, OfRequestsAreRead) {
  Reading reading;
  reading
      .client(
          "POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nHost: h\r\n\r\n")
      .close();
  ASSERT_EQ(reading.done.size(), 2U);
  EXPECT_EQ(reading.done[0]["http.request_body"], "abc");
  EXPECT_EQ(reading.done[0]["file.data"], "abc");
  EXPECT_EQ(reading.done[0]["file.name"], "/up");
  EXPECT_EQ(reading.done[1]["http.uri"], "/b");
}

TEST(HttpBodies, ChunksOfARequestWinOverItsLength) {
  Reading reading;
  reading
      .client(
          "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nTransfer-Encoding: "
          "chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" +
          kGet)
      .close();
  ASSERT_EQ(reading.done.size(), 2U);
  EXPECT_EQ(reading.done[0]["http.request_body"], "abc");
  EXPECT_TRUE(reading.done[0].has("invalid_transfer_encoding_value_in_request"));
}

TEST(HttpBodies, ARequestInGzipIsDecoded) {
  Reading reading;
  const std::string body = gzip(kText);
  reading
      .client("PUT /a HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n" + body)
      .close();
  EXPECT_EQ(reading.done.at(0)["http.request_body"], kText);
  EXPECT_EQ(reading.done.at(0).request_bytes, body.size());
}

TEST(HttpForms, FilesAreToldApart) {
  const std::string body =
      "preamble\r\n--BOUND\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nfield\r\n"
      "--BOUND\r\nContent-Disposition: form-data; name=\"f\"; filename=\"one.bin\"\r\nContent-Type: "
      "x\r\n\r\n\r\n--BOUN\r\r\n--BOUNdata\r\n"
      "--BOUND\r\ncontent-disposition: form-data; name=g; "
      "filename=two.txt\r\n\r\nsecond\n--BOUND--\r\nepilogue";
  for (const size_t portion : {size_t{0}, size_t{1}, size_t{7}}) {
    Reading reading;
    reading
        .client(
            "POST /form HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; "
            "boundary=\"BOUND\"\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body,
            portion)
        .close();
    ASSERT_EQ(reading.done.size(), 1U);
    EXPECT_EQ(reading.done[0]["http.request_body"], body);
    EXPECT_EQ(reading.done[0]["file.data"], "\r\n--BOUN\r\r\n--BOUNdatasecond");
    EXPECT_EQ(reading.done[0]["file.name"], "one.bin|two.txt");
    EXPECT_EQ(reading.done[0].files, (std::vector<std::string>{"one.bin:21:closed", "two.txt:6:closed"}));
    EXPECT_EQ(reading.done[0].events, "");
  }
}

TEST(HttpForms, AFileThatIsCutIsTruncated) {
  HttpLimits limits;
  limits.request_body_limit = 100;
  const std::string body =
      "--B\r\nContent-Disposition: f; filename=a\r\n\r\n" + std::string(500, 'x') + "\r\n--B--\r\n";
  const std::string head =
      "POST /f HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n";
  Reading limited(limits), closed;
  limited.client(head + body);
  closed.client(head + body.substr(0, 100)).close();
  limited.close();
  const std::string size = std::to_string(100 - body.find("xxx"));
  EXPECT_EQ(limited.done.at(0).files, std::vector<std::string>{"a:" + size + ":truncated"});
  EXPECT_EQ(closed.done.at(0).files, std::vector<std::string>{"a:" + size + ":truncated"});
}

TEST(HttpFiles, HaveChecksumsWhenAsked) {
  HttpLimits limits;
  limits.file_hashes = http::kHashMd5 | http::kHashSha256;
  Reading reading(limits);
  reading.judging = false;
  reading.client(kGet).server("HTTP/1.1 200 x\r\nContent-Length: 3\r\n\r\na").server("bc");
  const auto& tx = static_cast<HttpTransaction&>(*reading.parser().transactions()[0]);
  const HttpFile file = tx.file(Direction::to_client, 0);
  const auto hex = [](auto& digest) {
    std::string text;
    for (const uint8_t byte : digest) {
      text += "0123456789abcdef"[byte >> 4];
      text += "0123456789abcdef"[byte & 15];
    }
    return text;
  };
  EXPECT_EQ(hex(file.digests.md5), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(hex(file.digests.sha256), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(file.digests.sha1), std::string(40, '0'));
}

TEST(HttpForms, OddOnesAreTold) {
  const auto events = [](const std::string& type, const std::string& body) {
    Reading reading;
    reading
        .client("POST /f HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data" + type +
                "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body)
        .close();
    return reading.done.at(0).events;
  };
  EXPECT_EQ(events("", "x"), "multipart_generic_error");
  EXPECT_EQ(events("; boundary=B", "--B\r\nContent-Disposition: x; filename=a\r\n\r\ndata"),
            "multipart_generic_error");
  EXPECT_EQ(events("; boundary=B", "--B\r\nContent-Disposition: x; filename=a\r\n\r\n\r\n--B--"),
            "multipart_no_filedata");
  EXPECT_EQ(events("; boundary=B", "--B\r\nnonsense\r\n\r\nx\r\n--B--"), "multipart_invalid_header");
}

TEST(HttpForms, AFileGreaterThanTheWindowIsSeenWhole) {
  HttpLimits limits;
  limits.request_body_limit = 0;
  std::string data;
  for (int i = 0; data.size() < 100'000; ++i) data += std::to_string(i) + (i % 7 == 0 ? "\r\n" : ",");
  const std::string body = "--B\r\nContent-Disposition: f; filename=a\r\n\r\n" + data + "\r\n--B--\r\n";
  Reading reading(limits);
  reading.client(
      "POST /f HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body);
  reading.close();
  EXPECT_EQ(reading.done.at(0)["file.data"], data);
  EXPECT_EQ(reading.done.at(0)["http.request_body"], body);
  EXPECT_LE(reading.largest_view, limits.window + limits.fresh);
}

TEST(BodyWindow, TakesRoomForWhatIsSaidToComeButNotFarAhead) {
  BytePool pool(4 * BytePool::kLargest);
  const HttpLimits limits;
  const std::vector<uint8_t> bytes(100, 'x');
  http::BodyWindow huge(pool), small(pool);
  huge.expect(1'000'000);
  ASSERT_TRUE(huge.append(bytes, limits));
  EXPECT_LE(pool.used(), 1'024U) << "little has come";
  const uint64_t before = pool.used();
  small.expect(500);
  ASSERT_TRUE(small.append(bytes, limits));
  EXPECT_EQ(pool.used(), before + 512) << "all that comes";
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(small.append(bytes, limits));
  EXPECT_EQ(pool.used(), before + 512);
  for (size_t size = 100; size < limits.window; size += 100) ASSERT_TRUE(huge.append(bytes, limits));
  EXPECT_LE(pool.used(), before + 512 + limits.window + limits.fresh);
}

}  // namespace
}  // namespace weir::inspection::test
