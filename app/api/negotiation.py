"""Which of the formats a client wants: `format` names one, or else `Accept` ranks media types."""

from collections.abc import Mapping
from typing import Final

from app.core import errors
from app.statements.formats import FORMATS, Format

# A client that ranks more types than this has not thought about them.
_MOST_TYPES: Final = 100


def choose(name: str | None, accept: list[str]) -> Format:
    """The format. Raises NotAcceptable when it is not one of ours, or none that is accepted is."""
    if name is not None:
        if name not in FORMATS:
            raise errors.NotAcceptable()
        return FORMATS[name]
    if not accept:
        return FORMATS["json"]
    qualities = _qualities(",".join(accept))
    # Of those that are wanted equally, the first of ours.
    best = max(FORMATS.values(), key=lambda one: _quality(one.media_type, qualities))
    if _quality(best.media_type, qualities) <= 0:
        raise errors.NotAcceptable()
    return best


def _quality(media_type: str, qualities: Mapping[str, int]) -> int:
    """How much it is wanted: by its name, else by its kind, else as anything (RFC 9110, section 12.5.1)."""
    kind = media_type.partition("/")[0]
    for pattern in (media_type, f"{kind}/*", "*/*"):
        if pattern in qualities:
            return qualities[pattern]
    return 0


def _qualities(accept: str) -> dict[str, int]:
    found = {}
    for part in accept.split(",", _MOST_TYPES)[:_MOST_TYPES]:
        media_type, *parameters = (word.strip().lower() for word in part.split(";"))
        found[media_type] = _thousandths(parameters)
    return found


def _thousandths(parameters: list[str]) -> int:
    """The weight `q`, 0 to 1000; 1000 when it is not given, 0 when it is none."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            whole, _, rest = value.strip().partition(".")
            digits = f"{whole}{rest[:3]:0<3}"
            return min(int(digits), 1000) if digits.isascii() and digits.isdigit() and len(digits) == 4 else 0
    return 1000
