#include "bench/inspection/http_answers.h"

#include <array>
#include <string>
#include <string_view>

namespace weir::bench {

namespace {

constexpr std::array<std::string_view, 3> kServers = {"nginx/1.26.1", "envoy", "Apache/2.4.62 (Debian)"};
constexpr std::array<std::string_view, 6> kTags = {"div", "p", "li", "span", "section", "td"};
constexpr std::array<std::string_view, 6> kProperties = {"margin", "padding",    "width",
                                                         "color",  "max-height", "border-radius"};
constexpr size_t kPieceOfPicture = 512;  // bytes between two fields

/// One answer.
class AnswerWriter : private HttpText {
 public:
  explicit AnswerWriter(const HttpText& text) : HttpText(text) {}

  void write(HttpRequest request) {
    switch (request) {
      case HttpRequest::script:
      case HttpRequest::style:
      case HttpRequest::drawing:
      case HttpRequest::picture:
      case HttpRequest::font:
        return below(2) == 0 ? not_modified() : asset(request);
      case HttpRequest::data:
        return body("200 OK", "application/json", 400, 6'000, &AnswerWriter::json_item);
      case HttpRequest::page:
        return body("200 OK", "text/html; charset=utf-8", 4'000, 20'000, &AnswerWriter::html_element);
      case HttpRequest::json:
        return body("201 Created", "application/json", 100, 400, &AnswerWriter::json_item);
      case HttpRequest::form:
        return see_other();
    }
  }

 private:
  void asset(HttpRequest request) {
    switch (request) {
      case HttpRequest::script:
        return body("200 OK", "application/javascript", 2'000, 24'000, &AnswerWriter::statement);
      case HttpRequest::style:
        return body("200 OK", "text/css", 1'000, 12'000, &AnswerWriter::style_rule);
      case HttpRequest::drawing:
        return body("200 OK", "image/svg+xml", 400, 3'000, &AnswerWriter::drawn_path);
      case HttpRequest::font:
        return body("200 OK", "font/woff2", 4'000, 24'000, &AnswerWriter::piece_of_picture);
      default:
        return body("200 OK", "image/jpeg", 2'000, 24'000, &AnswerWriter::piece_of_picture);
    }
  }
  /// A head up to its last fields.
  void head(std::string_view status) {
    text("HTTP/1.1 ");
    text(status);
    text("\r\nServer: ");
    text(kServers[below(kServers.size())]);
    text("\r\nDate: Wed, 25 Nov 2026 1" + number(10) + ":0" + number(10) + ":0" + number(10) +
         " GMT\r\nConnection: keep-alive\r\nX-Request-Id: ");
    field();
    text("\r\nCache-Control: max-age=" + number(100'000) + "\r\n");
  }
  void not_modified() {
    head("304 Not Modified");
    text("ETag: \"" + number(1'000'000'000) + "\"\r\nVary: Accept-Encoding\r\n\r\n");
  }
  void see_other() {
    head("303 See Other");
    text("Location: /");
    text(word());
    text("/" + number(100'000) + "\r\nContent-Length: 0\r\n\r\n");
  }
  /// At least `least` and about `most` bytes at most, made of `piece`s, with a field wherever one is due.
  void body(std::string_view status, std::string_view type, size_t least, size_t most,
            void (AnswerWriter::*piece)()) {
    head(status);
    text("Content-Type: ");
    text(type);
    text("\r\nX-Content-Type-Options: nosniff\r\nContent-Length: ");
    const size_t length_at = begin_length();
    text("\r\n\r\n");
    const size_t body_at = size(), end = body_at + least + below(most - least);
    while (size() < end) (this->*piece)();
    end_length(length_at, body_at);
  }

  void json_item() {
    text("{\"id\":" + number(10'000'000) + ",\"title\":\"");
    text(word());
    text(" ");
    text(word());
    text("\",\"owner\":{\"name\":\"");
    text(word());
    text("\",\"active\":true},\"amount\":" + number(10'000) + "." + number(100));
    if (field_due()) {
      text(",\"etag\":\"");
      field();
      text("\"");
    }
    text("},\n");
  }
  void html_element() {
    const std::string_view tag = kTags[below(kTags.size())];
    text("<");
    text(tag);
    text(" class=\"");
    text(word());
    text("-");
    text(word());
    if (field_due()) {
      text("\" id=\"");
      field();
    }
    text("\"><a href=\"/");
    text(word());
    text("/" + number(10'000) + "\">");
    for (uint64_t i = 3 + below(12); i > 0; --i) {
      text(word());
      text(" ");
    }
    text("</a></");
    text(tag);
    text(">\n");
  }
  void statement() {
    text("function ");
    text(word());
    text("(e,t){var n=document.getElementById(\"");
    text(word());
    if (field_due()) {
      text("-");
      field();
    }
    text("\");if(n&&t>" + number(100) + "){n.");
    text(word());
    text("=e.");
    text(word());
    text("||{};return n}return null}");
  }
  void style_rule() {
    text(".");
    text(word());
    if (field_due()) {
      text("-");
      field();
    }
    text(" ");
    text(kTags[below(kTags.size())]);
    text("{");
    text(kProperties[below(kProperties.size())]);
    text(":" + number(100) + "px;");
    text(kProperties[below(kProperties.size())]);
    text(":" + number(100) + "px}\n");
  }
  void drawn_path() {
    text("<path fill=\"#" + number(10) + number(10) + "f\" d=\"M" + number(100) + " " + number(100) + "l" +
         number(100) + "." + number(100));
    if (field_due()) {
      text("\" id=\"");
      field();
    }
    text("\"/>");
  }
  void piece_of_picture() {
    noise(kPieceOfPicture);
    field();
  }
};

}  // namespace

void write_answer(const HttpText& text, HttpRequest request) { AnswerWriter(text).write(request); }

}  // namespace weir::bench
