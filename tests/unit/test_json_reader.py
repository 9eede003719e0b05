import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.json_reader import read_json
from app.core.errors import MalformedJson

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
_NUMBERS = st.integers(-(10**30) + 1, 10**30 - 1) | st.floats(allow_nan=False, allow_infinity=False)
_VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(_VALUES, st.booleans(), st.sampled_from([None, 2]))
def test_reads_every_valid_document_as_the_standard_reader_does(
    value: Any, ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert read_json(text.encode()) == json.loads(text) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(MalformedJson):
        read_json(body)


@given(st.text(st.sampled_from('[]{}",:\\u0d8 1eE+-.ntf'), max_size=60))
def test_what_looks_like_json_is_read_as_by_the_standard_reader_or_refused(text: str) -> None:
    try:
        value = read_json(text.encode())
    except MalformedJson:
        return
    assert value == json.loads(text)


@pytest.mark.parametrize(
    "body",
    {
        "nothing": b"",
        "white space": b"  ",
        "NaN": b'{"a": NaN}',
        "Infinity": b'{"a": Infinity}',
        "minus Infinity": b"[-Infinity]",
        "a number beyond floats": b'{"a": 1e400}',
        "a negative one": b'{"a": -1e400}',
        "31 digits": b"1234567890123456789012345678901",
        "a fraction of 31 characters": b"0.12345678901234567890123456789",
        "more digits than Python converts": b"9" * 5000,
        "a duplicate key": b'{"a": 1, "a": 1}',
        "a duplicate key inside": b'[{"b": {"a": 1, "a": 2}}]',
        "a duplicate key, once escaped": rb'{"a": 1, "\u0061": 2}',
        "half a surrogate pair": rb'{"a": "\ud800"}',
        "the other half": rb'["\udfff"]',
        "halves in the wrong order": rb'["\udc00\ud800"]',
        "half a pair in a key": rb'{"\ud83d": 1}',
        "half a pair, deep": rb'{"a": [{"b": "\uD83Dx"}]}',
        "NUL": rb'"\u0000"',
        "NUL in a key": rb'{"a\u0000": 1}',
        "a bare NUL": b'"\0"',
        "a bare control character": b'"\x1f"',
        "depth 33": b"[" * 33 + b"]" * 33,
        "depth 33, objects": b'{"a":' * 33 + b"1" + b"}" * 33,
        "depth 100,000": b"[" * 100_000,
        "depth 100,000, objects": b'{"a":' * 100_000,
        "a byte order mark": b"\xef\xbb\xbf{}",
        "a comment": b"//c\n{}",
        "another comment": b"/* c */ {}",
        "invalid UTF-8": b'{"a": "\xff\xfe"}',
        "a surrogate as UTF-8": b'"\xed\xa0\x80"',
        "an overlong NUL": b'"\xc0\x80"',
        "UTF-16": '{"a": 1}'.encode("utf-16"),
        "a trailing comma": b"[1,]",
        "a second document": b"{} {}",
        "single quotes": b"{'a': 1}",
        "a leading zero": b"01",
        "a plus": b"+1",
        "other digits": "١".encode(),
        "another white space": "\u00a0{}".encode(),
        "a half document": b'{"a": ',
        "an unknown escape": rb'"\x41"',
    }.items(),
    ids=lambda item: item[0],
)
def test_refuses(body: tuple[str, bytes]) -> None:
    with pytest.raises(MalformedJson):
        read_json(body[1])


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (rb'"\ud83d\ude00"', "\N{GRINNING FACE}"),
        (rb'"\\u0000 \\ud800"', r"\u0000 \ud800"),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b"-123456789012345678901234567890", -123456789012345678901234567890),
        (b" \t\r\n{}\n", {}),
        (b'"' + b"[" * 50 + b'"', "[" * 50),
        (rb'["\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\""]', ['"' + "[" * 34 + '"']),
        (b"[" + b"[]," * 100 + b"[]]", [[]] * 101),
    ],
)
def test_reads(body: bytes, value: Any) -> None:
    assert read_json(body) == value


def test_reads_32_levels() -> None:
    assert read_json(b"[" * 32 + b"]" * 32) is not None


@pytest.mark.parametrize(
    "tail", [b'\\"' * 500_000, b'\\"' * 500_000 + b"\\", b'""' * 500_000, b'"' * 999_999]
)
def test_a_body_of_quotes_takes_no_more_time_than_its_length(tail: bytes) -> None:
    # With a step for each pair of quotes this would not end today.
    with pytest.raises(MalformedJson):
        read_json(b"[" * 33 + b'"' + tail)
