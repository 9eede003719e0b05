"""Reads a JSON body strictly (RFC 8259, and I-JSON of RFC 7493 where it is silent).

The standard reader takes NaN, infinities, duplicate keys and half surrogate pairs, each of which is a
crash or a misunderstanding further down. One way in, for every route.
"""

import json
import math
import re
from typing import Any, Final, NoReturn

from app.core.errors import MalformedJson

DEEPEST: Final = 32
LONGEST_NUMBER: Final = 30

# A string that never ends is read to the end of the body: starting again at its every quote would
# take time by the square of the length.
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.?)*+(?:"|\Z)', re.S)
_BRACKET: Final = re.compile(rb"[\[\]{}]")
# Escapes that can put NUL or half a surrogate pair into a string.
_SUSPECT: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


def read_json(body: bytes) -> Any:
    """The value of a JSON document; MalformedJson for everything else. Linear in the body's length."""
    _refuse_depth(body)
    try:
        value = _DECODER.decode(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise MalformedJson() from None
    if _SUSPECT.search(body):
        _refuse_bad_text(value)
    return value


def _refuse_depth(body: bytes) -> None:
    if body.count(b"[") + body.count(b"{") <= DEEPEST:
        return
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub(b"", body)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > DEEPEST:
            raise MalformedJson()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate key")
    return members


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > LONGEST_NUMBER:
        raise ValueError("number too long")
    return int(digits)


def _fraction(digits: str) -> float:
    if len(digits) > LONGEST_NUMBER or not math.isfinite(number := float(digits)):
        raise ValueError("number out of range")
    return number


def _constant(name: str) -> NoReturn:
    raise ValueError(name)


def _refuse_bad_text(value: Any) -> None:
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise MalformedJson()
    elif isinstance(value, list):
        for item in value:
            _refuse_bad_text(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_bad_text(key)
            _refuse_bad_text(item)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_fraction, parse_constant=_constant
)
