"""Rules as their text has them: a reading of the language that owes nothing to the engine's own."""

import dataclasses
import re

import pattern
from skip import Skip

HEADER = re.compile(r"^(\w+)\s+(\S+)\s+(\[.*?\]|\S+)\s+(\[.*?\]|\S+)\s+(->|<>|=>)\s+(\[.*?\]|\S+)\s+(\[.*?\]|\S+)\s+\((.*)\)\s*$")


@dataclasses.dataclass
class Content:
    """One `content` with what stands behind it."""
    pattern: bytes
    negated: bool = False
    nocase: bool = False
    offset: int = 0
    depth: int | None = None
    distance: int | None = None
    within: int | None = None
    startswith: bool = False
    endswith: bool = False

    @property
    def relative(self):
        return self.distance is not None or self.within is not None


@dataclasses.dataclass
class DataAt:
    """`isdataat`: whether there are so many bytes, from the buffer's begin or the last match's end."""
    size: int
    negated: bool
    relative: bool


@dataclasses.dataclass
class Expression:
    """`pcre`; `relative`: from the last match's end on."""
    expression: re.Pattern
    negated: bool
    relative: bool


@dataclasses.dataclass
class Size:
    """`bsize`, `urilen`, `dsize`: the least and the most that is right."""
    least: int
    most: int


@dataclasses.dataclass
class Buffer:
    name: str
    checks: list = dataclasses.field(default_factory=list)
    dotprefix: bool = False


@dataclasses.dataclass
class Rule:
    sid: int
    protocol: str
    source: str
    source_ports: str
    destination: str
    destination_ports: str
    to_client: bool
    established: bool
    buffers: dict  # name -> Buffer, in the order of the text
    text: str


def options_of(body):
    """(name, value or None) of each option; a semicolon in quotes or behind a backslash ends none."""
    found, part, quoted, escaped = [], "", False, False
    for c in body:
        if escaped:
            part, escaped = part + c, False
        elif c == "\\":
            part, escaped = part + c, True
        elif c == '"':
            part, quoted = part + c, not quoted
        elif c == ";" and not quoted:
            name, colon, value = part.strip().partition(":")
            found.append((name.strip(), value.strip() if colon else None))
            part = ""
        else:
            part += c
    return found


def pattern_of(value):
    """'!"GET |0d 0a|"' -> (negated, bytes)."""
    negated = value.startswith("!")
    value = value.lstrip("! ").strip()
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        raise Skip("content without quotes")
    pattern, hexadecimal, escaped = bytearray(), None, False
    for c in value[1:-1]:
        if hexadecimal is not None:
            if c == "|":
                pattern += bytes.fromhex(hexadecimal)
                hexadecimal = None
            else:
                hexadecimal += c
        elif escaped:
            pattern += c.encode()
            escaped = False
        elif c == "\\":
            escaped = True
        elif c == "|":
            hexadecimal = ""
        else:
            pattern += c.encode()
    return negated, bytes(pattern)


def size_of(value):
    """'3', '<3', '>3', '3<>9' (both excluded)."""
    value = value.replace(" ", "")
    if match := re.fullmatch(r"(\d+)<>(\d+)", value):
        return Size(int(match[1]) + 1, int(match[2]) - 1)
    if match := re.fullmatch(r"([<>]?)(=?)(\d+)", value):
        number = int(match[3])
        if match[1] == "<":
            return Size(0, number - (not match[2]))
        if match[1] == ">":
            return Size(number + (not match[2]), 1 << 30)
        return Size(number, number)
    raise Skip("a size of another form")


STICKY = {"http.method", "http.uri", "http.uri.raw", "http.host", "http.host.raw", "http.user_agent", "http.header",
          "http.header_names", "http.accept", "http.accept_lang", "http.accept_enc", "http.content_type",
          "http.referer", "http.cookie", "http.connection", "http.request_body", "http.stat_code", "http.stat_msg",
          "http.response_body", "http.server", "http.location", "file_data", "file.data", "dns.query", "dns_query",
          "tls.sni", "pkt_data"}
ALIASES = {"file_data": "file.data", "dns_query": "dns.query", "pkt_data": "payload"}
# Say nothing of what a session has to carry.
SILENT = {"msg", "metadata", "reference", "classtype", "sid", "rev", "gid", "priority", "fast_pattern", "target",
          "rawbytes", "prefilter", "noalert"}
TO_CLIENT = {"http.stat_code", "http.stat_msg", "http.response_body", "http.server", "http.location"}


class Reader:
    """Takes the options of one rule in their order."""

    def __init__(self):
        self.buffers = {"payload": Buffer("payload")}
        self.current = self.buffers["payload"]
        self.last = None
        self.to_client = None
        self.established = False

    def content(self):
        if self.last is None:
            raise Skip("a modifier without its content")
        return self.last

    def take(self, name, value):
        if name in SILENT:
            return
        if name in STICKY:
            name = ALIASES.get(name, name)
            self.current = self.buffers.setdefault(name, Buffer(name))
            self.last = None
        elif name == "content":
            negated, text = pattern_of(value)
            self.last = Content(text, negated)
            self.current.checks.append(self.last)
        elif name in ("nocase", "startswith", "endswith"):
            setattr(self.content(), name, True)
        elif name in ("offset", "depth", "distance", "within"):
            if not re.fullmatch(r"-?\d+", value):
                raise Skip("a position that is a variable")
            setattr(self.content(), name, int(value))
        elif name == "isdataat":
            self.data_at(value)
        elif name == "pcre":
            negated, expression, relative = pattern.compiled(value)
            self.current.checks.append(Expression(expression, negated, relative))
            self.last = None
        elif name in ("bsize", "urilen", "dsize"):
            self.size(name, value)
        elif name == "dotprefix":
            self.current.dotprefix = True
        elif name == "flow":
            self.flow(value)
        elif name == "flowbits":
            if value.split(",")[0].strip() not in ("set", "unset", "isnotset"):
                raise Skip("flowbits:" + value.split(",")[0])
        elif name == "threshold":
            if "type limit" not in " ".join(value.split()):
                raise Skip("a threshold of several matches")
        else:
            raise Skip(name)

    def data_at(self, value):
        pieces = [piece.strip() for piece in value.split(",")]
        negated = pieces[0].startswith("!")
        number = pieces[0].lstrip("!")
        if not number.isdigit():
            raise Skip("a position that is a variable")
        self.current.checks.append(DataAt(int(number), negated, "relative" in pieces))

    def size(self, name, value):
        buffer = self.current
        if name == "urilen":
            buffer = self.buffers.setdefault("http.uri", Buffer("http.uri"))
            value = value.split(",")[0]
        elif name == "dsize":
            buffer = self.buffers["payload"]
        buffer.checks.append(size_of(value))

    def flow(self, value):
        for word in value.split(","):
            word = word.strip()
            if word in ("to_client", "from_server"):
                self.to_client = True
            elif word in ("to_server", "from_client"):
                self.to_client = False
            elif word == "established":
                self.established = True
            elif word not in ("stateless", "only_stream", "no_stream"):
                raise Skip("flow:" + word)


def read(line):
    """A Rule. Skip: it says something that no session is made for."""
    match = HEADER.match(line)
    if match is None:
        raise Skip("another form of header")
    action, protocol, source, source_ports, arrow, destination, destination_ports, body = match.groups()
    options = options_of(body)
    sid = next(int(value) for name, value in options if name == "sid")
    if action != "alert" or arrow != "->":
        raise Skip(f"{action} {arrow}")
    if ("noalert", None) in options:
        raise Skip("noalert")
    reader = Reader()
    for name, value in options:
        reader.take(name, value)
    buffers = {name: buffer for name, buffer in reader.buffers.items() if buffer.checks}
    if not any(isinstance(c, Content) and not c.negated for b in buffers.values() for c in b.checks):
        raise Skip("no content")
    to_client = reader.to_client
    if to_client is None:
        to_client = any(name in TO_CLIENT for name in buffers)
    return Rule(sid, protocol, source, source_ports, destination, destination_ports, to_client,
                reader.established, buffers, line)
