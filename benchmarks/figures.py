"""The arithmetic of the figures."""

import itertools
import random
from collections.abc import Iterator, Sequence
from math import ceil


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the values that `percent` of them do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


def zipf(count: int, chance: random.Random, exponent: float = 1.0) -> Iterator[int]:
    """Numbers below `count`; the n-th most frequent one has a share as 1 / n ** exponent."""
    shares = list(itertools.accumulate(1 / rank**exponent for rank in range(1, count + 1)))
    numbers = range(count)
    while True:
        yield from chance.choices(numbers, cum_weights=shares, k=1000)


def intended(rate: float) -> Iterator[float]:
    """When the requests of a constant rate are to be sent, in seconds from the beginning."""
    return (number / rate for number in itertools.count())
