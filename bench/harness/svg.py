"""The picture of a run for docs/performance.md: horizontal bars, as SVG.

The scale is linear and common to the rows of one group with one unit: on a logarithmic one a bar's length says nothing.
Only what supports a claim has a bar; everybody else is named with the reason. The picture brings its own background,
light or dark as the reader's system is, so that it can be read on any page.
"""

import textwrap
from xml.sax.saxutils import escape

from . import results, table

WIDTH = 920
_LEFT = 230  # where bars begin
_BARS = 430  # length of the longest
_LINE = 22
_MARGIN = 24
_CHARACTER = 6.4  # width of one at 12 px, on the safe side

_STYLE = """
text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
.page { fill: #ffffff; stroke: #d1d9e0 } .head { font-size: 16px; font-weight: 600 }
.group { font-size: 14px; font-weight: 700 } .row { font-weight: 500 } .soft { fill: #59636e } .none { fill: #59636e; font-style: italic }
.axis { stroke: #818b98 } .subject { fill: #0969da } .other { fill: #8c959f }
.noise { stroke: #1f2328; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .page { fill: #0d1117; stroke: #3d444d } .soft, .none { fill: #9198a1 }
  .axis { stroke: #656c76 } .subject { fill: #4493f8 } .other { fill: #656c76 } .noise { stroke: #f0f6fc }
}
"""


def render(run):
    """The SVG's text."""
    page = _Page()
    page.text(_MARGIN, "Side by side with the same packets", "head", 18)
    scales = _scales(run)
    group = None
    for row in run.rows:
        if row.group != group:
            group = row.group
            page.gap(12)
            page.text(_MARGIN, group[:1].upper() + group[1:], "group")
        _row(page, row, scales[_scale_of(row)])
    subject = run.rows[0].subject if run.rows else "Weir"
    page.gap(10)
    for text in ("Medians of rounds in turns; the thin line is the median absolute deviation. Net: less the limit, which "
                 f"is what taking and sending the same packets costs. (1.50x): {subject} is so much better.",
                 table.headline(run) + "."):
        for line in page.wrapped(text):
            page.text(_MARGIN, line, "soft", 17)
    return page.finish("What a packet costs, side by side", _description(run))


def shown(row, one):
    """(Summary to draw, or None; the words beside it)"""
    if one.status != results.OK:
        return None, f"{one.status}: {one.reason}"
    if one.limit and not row.higher_is_better:
        if one.net is None:
            limit = row.named(one.limit)
            return None, f"no net: its limit, {limit.name}, is {limit.status}"
        value = one.net
    else:
        value = one.gross
    ratio = row.ratio(one)
    return value, table.number(value.median) + (f" ({table.number(ratio.value)}x)" if ratio else "")


def _contenders(row):
    return [one for one in row.results if not one.only_limit]


def _has_net(row):
    return not row.higher_is_better and any(one.limit for one in row.results)


def _scale_of(row):
    return row.group, row.unit, _has_net(row)


def _scales(run):
    """Key of a scale -> the value at the end of the longest bar."""
    scales = {}
    for row in run.rows:
        values = [value.median + value.mad for value, _ in (shown(row, one) for one in _contenders(row)) if value]
        key = _scale_of(row)
        scales[key] = max([scales.get(key, 0), *values])
    return scales


def _row(page, row, most):
    unit = f"{'net ' if _has_net(row) else ''}{row.unit}, {'more' if row.higher_is_better else 'less'} is better"
    page.gap(6)
    for line in page.wrapped(f"{row.title} ({unit})"):
        page.text(_MARGIN, line, "row", 18)
    for one in _contenders(row):
        value, words = shown(row, one)
        kind = "subject" if one is row.subject_result() else "other"
        page.bar(one.name, words, value, most, kind)


def _description(run):
    """All values, for those who cannot see the bars."""
    lines = []
    for row in run.rows:
        values = "; ".join(f"{one.name}: {shown(row, one)[1]}" for one in _contenders(row))
        lines.append(f"{row.title}, {'net ' if _has_net(row) else ''}{row.unit}: {values}.")
    return " ".join([*lines, table.headline(run) + "."])


class _Page:
    """Lines from top to bottom."""

    def __init__(self):
        self.parts = []
        self.y = _MARGIN - 6

    def gap(self, height):
        self.y += height

    def wrapped(self, text):
        return textwrap.wrap(text, int((WIDTH - 2 * _MARGIN) / _CHARACTER))

    def text(self, x, text, kind, height=_LINE):
        self.y += height
        self.parts.append(f'<text class="{kind}" x="{x}" y="{self.y - 6}">{escape(text)}</text>')

    def bar(self, name, words, value, most, kind):
        top = self.y
        self.y += _LINE
        middle = top + _LINE / 2
        hover = escape(f"{name}: {words}")
        room = int((_LEFT - _MARGIN - 20) / _CHARACTER)
        name = name if len(name) <= room else name[:room - 1] + "…"
        self.parts.append(f'<g><title>{hover}</title><text x="{_LEFT - 8}" y="{middle + 4}" text-anchor="end">'
                          f'{escape(name)}</text><path class="axis" d="M{_LEFT} {top}v{_LINE}"/>')
        end = _LEFT
        if value:
            length = max(_BARS * value.median / most, 0)
            noise = _BARS * value.mad / most
            end = _LEFT + length + noise
            self.parts.append(f'<rect class="{kind}" x="{_LEFT}" y="{top + 3}" width="{length:.1f}" '
                              f'height="{_LINE - 6}"/><path class="noise" '
                              f'd="M{max(_LEFT + length - noise, _LEFT):.1f} {middle}H{end:.1f}"/>')
        else:
            room = int((WIDTH - _MARGIN - end - 8) / _CHARACTER)
            words = words if len(words) <= room else words[:room - 1] + "…"
        self.parts.append(f'<text class="{"soft" if value else "none"}" x="{end + 8:.1f}" y="{middle + 4}">'
                          f'{escape(words)}</text></g>')

    def finish(self, title, description):
        height = self.y + _MARGIN
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:g}" '
                f'viewBox="0 0 {WIDTH} {height:g}" role="img" aria-labelledby="title desc">\n'
                f'<title id="title">{escape(title)}</title>\n<desc id="desc">{escape(description)}</desc>\n'
                f'<style>{_STYLE}</style>\n'
                f'<rect class="page" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1:g}" rx="8"/>\n'
                + "\n".join(self.parts) + "\n</svg>\n")
