"""HTTP exchanges that carry what a rule's buffers hold, and what buffers an exchange has."""

import gzip

from rule_text import Buffer, Content, Size
from skip import Skip
import bytes_of

# Buffers that are the value of one field.
FIELDS = {"http.host": b"Host", "http.host.raw": b"Host", "http.user_agent": b"User-Agent", "http.accept": b"Accept",
          "http.accept_lang": b"Accept-Language", "http.accept_enc": b"Accept-Encoding", "http.referer": b"Referer",
          "http.connection": b"Connection", "http.content_type": b"Content-Type", "http.cookie": b"Cookie"}
ANSWER_FIELDS = {"http.server": b"Server", "http.location": b"Location", "http.content_type": b"Content-Type",
                 "http.cookie": b"Set-Cookie"}
PLAIN = frozenset(range(0x21, 0x7f)) - set(b"%")


LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


def encoded(uri, letters=False):
    """`letters`: also what need not be, which changes nothing of what a server takes it for."""
    return b"".join(bytes([c]) if c in PLAIN and not (letters and c in LETTERS) else b"%%%02x" % c for c in uri)


def chunked(body):
    pieces = [body[at:at + 5] for at in range(0, len(body), 5)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def changes_when_normalised(uri):
    path = uri.partition(b"?")[0]
    return b"//" in path or b"/." in path or b"\\" in uri or b"#" in uri or b"\0" in uri


class Exchange:
    """Request and answer. `values`: by buffer, what is in it."""

    def __init__(self, rule, values, disguised=False):
        self.values = dict(values)
        self.to_client = rule.to_client
        self.names = rule.buffers.get("http.header_names")
        uri = values.get("http.uri", b"/")
        if "http.uri.raw" in values and ("http.uri" in values or not values["http.uri.raw"].startswith(b"/")):
            raise Skip("a raw URI that is another one")
        if values.get("http.host", b"").endswith(b"."):
            raise Skip("a host whose last dot is taken off")
        if changes_when_normalised(uri):
            raise Skip("a URI that is normalised")
        if not uri.startswith(b"/"):
            raise Skip("a URI that does not begin with /")
        self.disguised = disguised
        if disguised and ("http.header_names" in rule.buffers or "http.header" in rule.buffers):
            raise Skip("a head that is not to be changed")
        if disguised and any(isinstance(c, Size) for c in rule.buffers.get("http.uri", Buffer("")).checks):
            raise Skip("a raw length")
        self.uri = values["http.uri.raw"] if "http.uri.raw" in values else encoded(uri, letters=disguised)
        if any(c not in range(0x21, 0x7f) for c in self.uri):
            raise Skip("a raw URI with other than printable bytes")
        self.method = values.get("http.method", b"POST" if "http.request_body" in values else b"GET")
        if not self.method.isalpha():
            raise Skip("a method that is no word")
        self.request_body = values.get("http.request_body")
        body = values.get("http.response_body", values.get("file.data"))
        self.answer_body = body if self.to_client else None
        if not self.to_client and "file.data" in values:
            self.request_body, self.method = values["file.data"], values.get("http.method", b"POST")
        self.fields = self.request_fields()
        self.answer_fields = self.fields_of_answer()

    def block(self, first):
        """The fields that stand in the value of http.header."""
        fields = []
        for line in self.values.get("http.header", b"").split(b"\r\n"):
            name, colon, value = line.partition(b":")
            if not line:
                continue
            if not colon or not name or any(c not in range(0x21, 0x7f) for c in name):
                name, value = b"X-Some", line
            fields.append((name, value.strip(b" ")))
        if len({name.lower() for name, _ in fields}) != len(fields):
            raise Skip("a field that is there twice, whose values are joined")
        return first + fields

    def request_fields(self):
        fields = [] if self.to_client else self.block([])
        present = {name.lower() for name, _ in fields}
        own = [(FIELDS[buffer], self.values[buffer]) for buffer in FIELDS
               if buffer in self.values and not (self.to_client and buffer in ANSWER_FIELDS)]
        own = [(name, value) for name, value in own if name.lower() not in present]
        if b"host" not in present and all(name != b"Host" for name, _ in own):
            own.insert(0, (b"Host", b"www.example.com"))
        fields = own + fields
        if self.disguised and self.request_body is not None:
            fields.append((b"Transfer-Encoding", b"chunked"))
        elif self.request_body is not None and all(name.lower() != b"content-length" for name, _ in fields):
            fields.append((b"Content-Length", b"%d" % len(self.request_body)))
        return fields if self.to_client else self.ordered(fields)

    def ordered(self, fields):
        """In the order in which http.header_names has the names."""
        if self.names is None:
            return fields
        wanted = []
        for check in self.names.checks:
            if isinstance(check, Content) and not check.negated:
                wanted += [name for name in check.pattern.split(b"\r\n") if name and name not in wanted]
        known = {name.lower(): (name, value) for name, value in fields}
        first = [known.pop(name.lower(), (name, b"x")) for name in wanted]
        first = [(wanted[i], value) for i, (_, value) in enumerate(first)]
        return first + list(known.values())

    def fields_of_answer(self):
        if not self.to_client:
            return []
        own = [(name, self.values[buffer]) for buffer, name in ANSWER_FIELDS.items() if buffer in self.values]
        fields = self.ordered(own + self.block([]))
        if self.disguised and self.answer_body is not None:
            return fields + [(b"Content-Encoding", b"gzip"), (b"Transfer-Encoding", b"chunked")]
        if all(name.lower() != b"content-length" for name, _ in fields):
            fields.append((b"Content-Length", b"%d" % len(self.answer_body or b"")))
        return fields

    def request(self):
        head = self.method + b" " + self.uri + b" HTTP/1.1\r\n"
        body = self.request_body or b""
        return head + lines(self.fields) + b"\r\n" + (chunked(body) if self.disguised and body else body)

    def answer(self):
        status = self.values.get("http.stat_code", b"200") + b" " + self.values.get("http.stat_msg", b"OK")
        body = self.answer_body or b""
        if self.disguised and self.answer_body is not None:
            body = chunked(gzip.compress(body))
        return b"HTTP/1.1 " + status + b"\r\n" + lines(self.answer_fields or [(b"Content-Length", b"0")]) + b"\r\n" + body

    def buffers(self):
        """What a rule finds in each buffer."""
        fields = self.answer_fields if self.to_client else self.fields
        cookie = b"set-cookie" if self.to_client else b"cookie"
        seen = dict(self.values)
        seen["http.header"] = lines([f for f in fields if f[0].lower() != cookie])
        seen["http.header_names"] = b"\r\n" + b"".join(name + b"\r\n" for name, _ in fields) + b"\r\n"
        for buffer, name in (ANSWER_FIELDS if self.to_client else FIELDS).items():
            value = next((value for known, value in fields if known.lower() == name.lower()), None)
            if value is not None:
                seen[buffer] = value.lower() if buffer == "http.host" else value
        seen["http.method"], seen["http.uri.raw"] = self.method, self.uri
        seen.setdefault("http.uri", b"/")
        return seen

    def is_what_is_asked(self, rule):
        seen = self.buffers()
        return all(name in seen and bytes_of.is_right(buffer, seen[name]) for name, buffer in rule.buffers.items())


def lines(fields):
    return b"".join(name + b": " + value + b"\r\n" for name, value in fields)
