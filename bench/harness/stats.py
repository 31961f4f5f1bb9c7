"""Medians, their noise, and what may be said of two of them. No clocks, no files.

Noise is the median absolute deviation (MAD): unlike the standard deviation it does not move with one wild round.
"""

import dataclasses
import math
import statistics

NOISY_SHARE = 0.05  # a MAD over this share of its median: no claim
# For normal noise the standard deviation is 1.4826 MAD; a difference of three of them is beyond noise. The MAD of five
# rounds can be small by luck, and a program that is started anew gets other pages: under 2 % nothing has changed.
SIGMA_PER_MAD = 1.4826
BEYOND_SIGMAS = 3
BEYOND_SHARE = 0.02


@dataclasses.dataclass(frozen=True)
class Summary:
    """A value with its noise, in the row's unit."""
    median: float
    mad: float
    count: int  # rounds behind it

    @property
    def noisy(self):
        return self.mad > NOISY_SHARE * abs(self.median)


@dataclasses.dataclass(frozen=True)
class Ratio:
    value: float
    spread: float  # as a MAD


def mad(values):
    middle = statistics.median(values)
    return statistics.median(abs(value - middle) for value in values)


def summarize(values):
    """Of at least one value."""
    return Summary(statistics.median(values), mad(values), len(values))


def net(gross, limit):
    """What is left of a cost when the limit's is taken away. The two are measured independently of each other, so
    their noises add up as squares."""
    return Summary(gross.median - limit.median, math.hypot(gross.mad, limit.mad), min(gross.count, limit.count))


def ratio(top, bottom):
    """top / bottom, or None if either is not clearly above zero: a ratio of noise says nothing."""
    if any(one.median <= BEYOND_SIGMAS * SIGMA_PER_MAD * one.mad or one.median <= 0 for one in (top, bottom)):
        return None
    value = top.median / bottom.median
    return Ratio(value, value * math.hypot(top.mad / top.median, bottom.mad / bottom.median))


@dataclasses.dataclass(frozen=True)
class Change:
    percent: float  # of the old value; NaN if that is 0
    verdict: str  # faster | slower | same


def compare(old, new, higher_is_better=False):
    """Whether `new` (a Summary or a Ratio) is beyond the noise of both, and which way."""
    before, after = _value_and_noise(old), _value_and_noise(new)
    difference = after[0] - before[0]
    percent = 100 * difference / before[0] if before[0] else math.nan
    noise = max(BEYOND_SIGMAS * SIGMA_PER_MAD * math.hypot(before[1], after[1]), BEYOND_SHARE * abs(before[0]))
    if abs(difference) <= noise:
        return Change(percent, "same")
    return Change(percent, "faster" if (difference > 0) == higher_is_better else "slower")


def _value_and_noise(one):
    return (one.value, one.spread) if isinstance(one, Ratio) else (one.median, one.mad)
