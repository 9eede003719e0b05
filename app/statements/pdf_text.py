"""The fonts of a PDF, and how wide text is in them."""

from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import Final

from reportlab.pdfbase.pdfmetrics import registerFont, stringWidth
from reportlab.pdfbase.ttfonts import TTFont

PLAIN, BOLD = "DejaVuSansCondensed", "DejaVuSansCondensed-Bold"
_FONTS: Final = Path(__file__).parent / "fonts"
_registering: Final = Lock()


def glyphs() -> frozenset[int]:
    """The characters that both fonts have; registers them when first asked, and never again.

    A font that was registered anew in the middle of a document would forget which letters it has used.
    """
    with _registering:
        return _registered()


@cache
def _registered() -> frozenset[int]:
    fonts = [TTFont(name, _FONTS / f"{name}.ttf") for name in (PLAIN, BOLD)]
    for font in fonts:
        registerFont(font)
    return frozenset(fonts[0].face.charToGlyph) & frozenset(fonts[1].face.charToGlyph)


@lru_cache(maxsize=10_000)
def width_of(text: str, font: str, size: float) -> float:
    """In points. Days, amounts and titles come again and again."""
    width: float = stringWidth(text, font, size)
    return width


def shortened(text: str, width: float, measure: Callable[[str], float]) -> str:
    """The text, or as much of it as fits, and a sign that there was more."""
    if measure(text) <= width:
        return text
    fits = next(n for n in range(len(text), -1, -1) if n == 0 or measure(f"{text[:n].rstrip()}…") <= width)
    return f"{text[:fits].rstrip()}…"


def wrapped(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """The text in lines that are no wider; a word that is wider by itself is broken."""
    found: list[str] = []
    line = ""
    for word in text.split():
        rest = word
        if line and measure(f"{line} {rest}") <= width:
            line = f"{line} {rest}"
            continue
        if line:
            found.append(line)
        while measure(rest) > width and len(rest) > 1:
            fits = next(n for n in range(len(rest) - 1, 0, -1) if n == 1 or measure(rest[:n]) <= width)
            found.append(rest[:fits])
            rest = rest[fits:]
        line = rest
    return [*found, line] if line else found
