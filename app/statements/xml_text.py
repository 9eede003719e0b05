"""XML, written from its beginning to its end without a tree: what is held is one element."""

import re
from typing import Final
from xml.sax.saxutils import escape, quoteattr

# What XML 1.0 (section 2.2) has no way to write, not even escaped.
_FOREIGN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def element(name: str, *inside: str, **attributes: str) -> str:
    """An element around what is XML already; with nothing inside, nothing."""
    content = "".join(inside)
    if not content:
        return ""
    given = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<{name}{given}>{content}</{name}>"


def text(value: str | None, longest: int | None = None) -> str:
    """A text as the content of an element, cut to so many characters."""
    return escape(_FOREIGN.sub("\ufffd", (value or "")[:longest]))
