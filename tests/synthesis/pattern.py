"""Regular expressions of rules: one text that an expression matches."""

import re
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # its name from 3.11 on has an underscore
    import sre_constants as sre
    import sre_parse

from skip import Skip

FLAGS = {"i": re.IGNORECASE, "s": re.DOTALL, "m": re.MULTILINE, "x": re.VERBOSE}
OF_CATEGORY = {sre.CATEGORY_DIGIT: b"4", sre.CATEGORY_NOT_DIGIT: b"q", sre.CATEGORY_SPACE: b" ",
               sre.CATEGORY_NOT_SPACE: b"q", sre.CATEGORY_WORD: b"q", sre.CATEGORY_NOT_WORD: b"-"}
PREFERRED = b"q4zQ-_/."


def compiled(value):
    """'"/a.c/Ri"' -> (negated, expression, whether it begins where the last match ended)."""
    match = re.fullmatch(r'(!?)\s*"/(.*)/(\w*)"', value, re.DOTALL)
    if match is None:
        raise Skip("pcre of another form")
    relative, flags = False, 0
    for letter in match[3]:
        if letter == "R":
            relative = True
        elif letter in FLAGS:
            flags |= FLAGS[letter]
        else:
            raise Skip("pcre with the flag " + letter)
    if "{," in match[2]:
        raise Skip("pcre that Python reads otherwise")
    source = match[2].replace(r"\;", ";").replace(r"\:", ":").replace(r'\"', '"').replace(r"\/", "/")
    try:
        return bool(match[1]), re.compile(source.encode("latin-1"), flags), relative
    except (re.error, UnicodeEncodeError, OverflowError):
        raise Skip("pcre that Python does not know") from None


class Writer:
    """One text, with each repetition as short as it may be."""

    def __init__(self, expression):
        self.groups = {}
        self.tree = sre_parse.parse(expression.pattern, expression.flags)

    def text(self):
        return self.of(self.tree)

    def of(self, tree):
        return b"".join(self.item(kind, value) for kind, value in tree)

    def item(self, kind, value):
        if kind is sre.LITERAL:
            return bytes([value])
        if kind is sre.NOT_LITERAL:
            return b"q" if value != ord("q") else b"z"
        if kind is sre.ANY:
            return b"q"
        if kind is sre.IN:
            return self.one_of(value)
        if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            least, _, tree = value
            return b"".join(self.of(tree) for _ in range(least))
        if kind is sre.SUBPATTERN:
            text = self.of(value[3])
            self.groups[value[0]] = text
            return text
        if kind is sre.BRANCH:
            return self.of(value[1][0])
        if kind is sre.GROUPREF:
            return self.groups.get(value, b"")
        if kind in (sre.AT, sre.ASSERT_NOT):
            return b""
        raise Skip("pcre with a lookaround or the like")

    @staticmethod
    def one_of(items):
        negated = items[0][0] is sre.NEGATE
        members = set()
        for kind, value in items[negated:]:
            if kind is sre.LITERAL:
                members.add(value)
            elif kind is sre.RANGE:
                members.update(range(value[0], value[1] + 1))
            elif kind is sre.CATEGORY and negated:
                members.update(b for b in range(256) if re.match(
                    {sre.CATEGORY_DIGIT: rb"\d", sre.CATEGORY_NOT_DIGIT: rb"\D", sre.CATEGORY_SPACE: rb"\s",
                     sre.CATEGORY_NOT_SPACE: rb"\S", sre.CATEGORY_WORD: rb"\w",
                     sre.CATEGORY_NOT_WORD: rb"\W"}[value], bytes([b])))
            elif kind is sre.CATEGORY:
                members.update(OF_CATEGORY[value])
        if negated:
            members = set(range(256)) - members
        if not members:
            raise Skip("pcre that nothing matches")
        preferred = [byte for byte in PREFERRED if byte in members]
        printable = [byte for byte in sorted(members) if 0x21 <= byte < 0x7f]
        return bytes([(preferred or printable or sorted(members, reverse=True))[0]])


def example(expression):
    text = Writer(expression).text()
    if not expression.search(text):
        raise Skip("pcre for which no text was found")
    return text
