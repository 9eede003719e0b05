"""Text as a page shows it: letters joined, right-to-left words in their place, what the font lacks marked.

A simple form of the Unicode bidirectional algorithm (UAX #9): one paragraph without embeddings, which
texts of ours cannot have. Runs are reordered whole, and numbers keep the order of their digits.
"""

import re
import unicodedata
from collections.abc import Container
from itertools import groupby
from typing import Final

from arabic_reshaper import ArabicReshaper

# Shown for a character that the font has no picture of.
MISSING: Final = "\ufffd"
_RIGHT_TO_LEFT: Final = re.compile(
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_LEFT, _RIGHT, _NUMBER, _NEUTRAL, _MARK = "L", "R", "N", " ", "M"
_CLASSES: Final = {"L": _LEFT, "R": _RIGHT, "AL": _RIGHT, "EN": _NUMBER, "AN": _NUMBER, "NSM": _MARK}
# What stands between two digits, or beside them, and belongs to their number.
_IN_NUMBERS: Final = re.compile(r"(?<=N)[+\-.,:/](?=N)")
_MIRRORED: Final = str.maketrans("()[]{}<>«»‹›", ")(][}{><»«›‹")
_joined: Final = ArabicReshaper({"delete_harakat": False, "ARABIC LIGATURE ALLAH": False}).reshape


def shaped(text: str, glyphs: Container[int]) -> str:
    """The text in the order it is read, of characters that a font has (by their code points)."""
    if text.isascii():
        return text
    joined = _joined(unicodedata.normalize("NFC", text))
    shown = (one for one in joined if unicodedata.category(one) != "Cf")
    return "".join(one if ord(one) in glyphs else MISSING for one in shown)


def visual(text: str) -> str:
    """A line of such a text in the order it is drawn, from left to right."""
    if not _RIGHT_TO_LEFT.search(text):
        return text
    kinds = _kinds(text)
    strong = next((kind for kind in kinds if kind in (_LEFT, _RIGHT)), _LEFT)
    levels = _levels(_resolved(kinds, strong), strong)
    clusters = [(level, [*run]) for level, run in _clusters(text, levels)]
    for level in range(2, 0, -1):
        clusters = _reversed_runs(clusters, level)
    return "".join(
        "".join(cluster).translate(_MIRRORED) if level == 1 else "".join(cluster)
        for level, cluster in clusters
    )


def _kinds(text: str) -> list[str]:
    """The class of each character; separators inside numbers are of the number, marks of their letter."""
    kinds = [_CLASSES.get(unicodedata.bidirectional(one), _NEUTRAL) for one in text]
    signs = "".join(
        kind if kind == _NUMBER else one if kind == _NEUTRAL else "x"
        for kind, one in zip(kinds, text, strict=True)
    )
    for found in _IN_NUMBERS.finditer(signs):
        kinds[found.start()] = _NUMBER
    for place, kind in enumerate(kinds):
        if kind == _MARK:
            kinds[place] = kinds[place - 1] if place else _NEUTRAL
    return kinds


def _resolved(kinds: list[str], strong: str) -> list[str]:
    """Numbers after left-to-right letters are like these; neutral ones like what is on both sides."""
    before, found = strong, []
    for kind in kinds:
        if kind in (_LEFT, _RIGHT):
            before = kind
        found.append(_LEFT if kind == _NUMBER and before == _LEFT else kind)
    runs = [(kind, len(list(run))) for kind, run in groupby(found)]
    sides = [strong, *(_RIGHT if kind == _NUMBER else kind for kind, _ in runs), strong]
    resolved: list[str] = []
    for place, (kind, length) in enumerate(runs, 1):
        around = sides[place - 1] if sides[place - 1] == sides[place + 1] else strong
        resolved += [around if kind == _NEUTRAL else kind] * length
    return resolved


def _levels(kinds: list[str], strong: str) -> list[int]:
    """0 and 2 go from left to right, 1 from right to left; 2 inside 1."""
    if strong == _LEFT:
        return [{_LEFT: 0, _RIGHT: 1, _NUMBER: 2}[kind] for kind in kinds]
    return [1 if kind == _RIGHT else 2 for kind in kinds]


def _clusters(text: str, levels: list[int]) -> list[tuple[int, str]]:
    """Letters with the marks on them, which stay behind their letter."""
    found: list[tuple[int, str]] = []
    for one, level in zip(text, levels, strict=True):
        if found and unicodedata.combining(one):
            found[-1] = (found[-1][0], found[-1][1] + one)
        else:
            found.append((level, one))
    return found


def _reversed_runs(clusters: list[tuple[int, list[str]]], least: int) -> list[tuple[int, list[str]]]:
    """Every run of at least this level, the other way round."""
    found: list[tuple[int, list[str]]] = []
    for is_in, run in groupby(clusters, lambda one: one[0] >= least):
        part = list(run)
        found += part[::-1] if is_in else part
    return found
