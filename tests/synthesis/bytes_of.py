"""Bytes of a buffer that a rule's contents ask for, and the judge of whether some bytes are what they ask for."""

import itertools

import pattern
from rule_text import Content, DataAt, Expression, Size
from skip import Skip


def is_sought(check):
    """It says what has to be there."""
    return isinstance(check, (Content, Expression)) and not check.negated


def lower(value, nocase):
    return value.lower() if nocase else value


def window(content, previous, size):
    """Where it may begin and where it has to end at the latest."""
    if content.relative:
        low = previous + (content.distance or 0)
        high = size if content.within is None else low + content.within
    else:
        low = content.offset
        high = size if content.depth is None else low + content.depth
    if content.startswith:
        low, high = 0, min(high, len(content.pattern))
    return max(low, 0), min(high, size)


def places(content, data, previous):
    """Where it ends, for each place where it stands."""
    low, high = window(content, previous, len(data))
    text, pattern = lower(data, content.nocase), lower(content.pattern, content.nocase)
    at = text.find(pattern, low, high)
    while at >= 0:
        end = at + len(pattern)
        if not content.endswith or end == len(data):
            yield end
        at = text.find(pattern, at + 1, high)


def holds(checks, data, previous=0):
    """All of them, in their order, with every choice tried."""
    if not checks:
        return True
    check, rest = checks[0], checks[1:]
    if isinstance(check, Size):
        return check.least <= len(data) <= check.most and holds(rest, data, previous)
    if isinstance(check, DataAt):
        # Suricata: the byte itself has to be there, or behind a match as many as are named.
        there = previous + check.size <= len(data) if check.relative else check.size < len(data)
        return there != check.negated and holds(rest, data, previous)
    if isinstance(check, Expression):
        found = check.expression.finditer(data[previous:] if check.relative else data)
        base = previous if check.relative else 0
        if check.negated:
            return next(found, None) is None and holds(rest, data, previous)
        return any(holds(rest, data, base + match.end()) for match in found)
    if check.negated:
        return next(places(check, data, previous), None) is None and holds(rest, data, previous)
    return any(holds(rest, data, end) for end in places(check, data, previous))


def is_right(buffer, data):
    """`data` is what all checks of the buffer ask for."""
    return holds(buffer.checks, b"." + data if buffer.dotprefix else data)


class Layout:
    """Bytes under construction: what a content has put there stays."""

    def __init__(self, filler):
        self.filler = filler
        self.data, self.fixed = bytearray(), bytearray()

    def fits(self, at, pattern):
        return all(not fixed or self.data[at + i] == pattern[i]
                   for i, fixed in enumerate(self.fixed[at:at + len(pattern)]))

    def put(self, at, pattern):
        self.grow(at + len(pattern))
        self.data[at:at + len(pattern)] = pattern
        self.fixed[at:at + len(pattern)] = b"\x01" * len(pattern)

    def grow(self, size):
        while len(self.data) < size:
            self.data += self.filler
            self.fixed += b"\x00"

    def place(self, content, previous, gap):
        """Returns where it ends. `gap`: between it and what stands there, if it may stand anywhere."""
        size = len(content.pattern)
        low, high = window(content, previous, 1 << 30)
        bounded = content.depth is not None or content.within is not None or content.startswith
        if not content.relative and not bounded and not content.offset:
            low = len(self.data) + gap
        for at in range(low, min(high - size, low + 2000) + 1):
            if self.fits(at, content.pattern):
                self.put(at, content.pattern)
                return at + size
        raise Skip("no place for a content")


def lay_out(buffer, filler, prefix, gap):
    """Bytes with all that is sought, each behind the other unless it says where; it may still not be right."""
    layout = Layout(filler)
    layout.put(0, prefix)
    previous = 0
    for check in buffer.checks:
        if isinstance(check, DataAt) and not check.negated:
            layout.grow((previous if check.relative else 1) + check.size)
        elif isinstance(check, Expression) and not check.negated:
            text = pattern.example(check.expression)
            at = previous if check.relative else len(layout.data)
            if not layout.fits(at, text):
                raise Skip("no place for a pcre")
            layout.put(at, text)
            previous = at + len(text)
        elif is_sought(check):
            previous = layout.place(check, previous, gap)
    return bytes(layout.data)


def attempts(buffer, filler, begin):
    starts = [c for c in buffer.checks if isinstance(c, Content) and is_sought(c)]
    least = max((size.least for size in buffer.checks if isinstance(size, Size)), default=0)
    prefixes = [begin, b""] if begin and not (starts and starts[0].pattern.startswith(begin)) else [b""]
    for prefix, gap in itertools.product(prefixes, (0, 1)):
        try:
            data = lay_out(buffer, filler, prefix, gap)
        except Skip:
            continue
        pad = filler * max(0, least - len(data))
        yield from (data + pad, prefix + pad + data[len(prefix):], data + filler)
    for check in buffer.checks:  # an expression that is about all of it, contents included
        if isinstance(check, Expression) and is_sought(check):
            yield pattern.example(check.expression)


def make(buffer, filler=b"x", begin=b"", valid=lambda data: True):
    """Bytes for which the buffer's checks hold. `begin`: what has to stand first unless a content does."""
    for data in attempts(buffer, filler, begin):
        for short in ((data[1:], data) if buffer.dotprefix and data[:1] == b"." else (data,)):
            if valid(short) and is_right(buffer, short):
                return short
    raise Skip("its contents could not be laid out")


def another(byte):
    """A digit for a digit, a letter for a letter, whatever its case."""
    if byte.isdigit():
        return b"7" if byte != b"7" else b"3"
    return b"k" if byte.lower() != b"k" else b"v"


def alterations(buffer, data):
    """Data with one byte of one content changed, so that the buffer's checks do not hold."""
    for check in buffer.checks:
        if not isinstance(check, Content) or check.negated:
            continue
        text, pattern = lower(data, check.nocase), lower(check.pattern, check.nocase)
        at = text.find(pattern)
        for i in range(len(pattern) - 1, -1, -1):
            old = pattern[i:i + 1]
            if at < 0 or not old.isalnum():
                continue
            altered = data[:at + i] + another(old) + data[at + i + 1:]
            if not is_right(buffer, altered):
                yield altered
                break
