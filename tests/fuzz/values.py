"""The values of `bad_inputs.json`, and how they are written into each part of a request."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

FILE = Path(__file__).with_name("bad_inputs.json")
JSON, TEXT, BODY = "json", "text", "body"
ACCEPTED, LIMIT, EMPTY = "accepted", "limit", "empty"


@dataclass(frozen=True)
class Value:
    """One value; `form` is how the file writes it, `fits` where its `verdict` holds."""

    group: str
    form: str
    fits: str
    verdict: int | str
    raw: str

    @cached_property
    def content(self) -> Any:
        """What a JSON token says; the token itself where it is not JSON."""
        try:
            return json.loads(self.raw)
        except (ValueError, RecursionError):
            return self.raw

    @cached_property
    def token(self) -> bytes:
        """For a body: the JSON token, or the text as a string, percent signs and all."""
        if self.form == TEXT:
            return json.dumps(self.raw).encode()
        return self.raw.encode()

    @cached_property
    def in_url(self) -> bytes:
        """For a path or a query: the text as it is, a JSON string as its characters."""
        if self.form == TEXT:
            return quote(self.raw, safe="%!'()*,-./:;@_~$").replace("/", "%2F").encode()
        said = self.content if isinstance(self.content, str) else self.raw
        return quote(said.encode("utf-8", "surrogatepass"), safe="").encode()

    @cached_property
    def in_header(self) -> bytes:
        """For a header: what HTTP lets through, as Latin-1 where it can be."""
        said = self.content if self.form == JSON and isinstance(self.content, str) else self.raw
        line = said.encode("latin-1", "replace")
        return bytes(byte for byte in line if byte >= 32 and byte != 127)

    @cached_property
    def words(self) -> set[str]:
        """What no refusal may repeat."""
        return {self.raw, *_texts(self.content), unquote_to_bytes(self.raw).decode("utf-8", "replace")}

    def __str__(self) -> str:
        return f"{self.group} {self.raw[:60]!r}"


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, dict | list):
        for item in node.values() if isinstance(node, dict) else node:
            yield from _texts(item)
    else:
        yield str(node)


def values() -> list[Value]:
    """Every value of the file, in its order."""
    groups = json.loads(FILE.read_text("utf-8"))["groups"]
    return [
        Value(group["name"], group["form"], group["fits"], group["verdict"], _joined(one))
        for group in groups
        for one in group["values"]
    ]


def _joined(parts: str | list[Any]) -> str:
    if isinstance(parts, str):
        return parts
    return "".join(part if isinstance(part, str) else part[0] * part[1] for part in parts)
