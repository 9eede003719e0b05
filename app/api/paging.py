"""Lists: pages of a keyset, and cursors that fit one caller, one list and one set of filters."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Query
from pydantic import BeforeValidator
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from app.api.state import bank_of
from app.core import errors
from app.schemas.base import refusal

Row = TypeVar("Row")

DEFAULT_LIMIT: Final = 25
LARGEST_LIMIT: Final = 100
_TAG_BYTES: Final = 16
_OWN_PARAMETERS: Final = ("limit", "cursor")
_CURSOR: Final = re.compile(r"[A-Za-z0-9_-]{22,512}")


def _digits(value: Any) -> Any:
    """Python reads `1_0`, ` 7 ` and other scripts' digits as numbers; a query may not."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) <= 4):
        raise refusal("invalid", "This must be a whole number.")
    return value


Limit = Annotated[
    int,
    BeforeValidator(_digits),
    Query(ge=1, le=LARGEST_LIMIT, description="How many items a page has at most."),
]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before, with the same filters.")]


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One page: at most `limit` rows that come after `position` (None: from the newest)."""

    limit: int
    position: list[Any] | None
    scope: bytes
    key: bytes

    def answer(
        self,
        rows: Sequence[Row],
        position_of: Callable[[Row], list[Any]],
        render: Callable[[Row], Any],
    ) -> Response:
        """The page, from `limit + 1` rows if there are so many: the last tells that there is more.

        `render` gives an item: a model, or what JSON has of it, which costs less.
        """
        shown = rows[: self.limit]
        has_more = len(rows) > self.limit
        page = {
            "data": [render(row) for row in shown],
            "has_more": has_more,
            "next_cursor": self._seal(position_of(shown[-1])) if has_more else None,
        }
        return Response(to_json(page), media_type="application/json")

    def _seal(self, position: list[Any]) -> str:
        content = json.dumps(position, separators=(",", ":")).encode()
        return _encode(_tag(self.key, self.scope, content) + content)


def _encode(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _open(cursor: str, key: bytes, scope: bytes) -> list[Any]:
    if not _CURSOR.fullmatch(cursor) or len(cursor) % 4 == 1:
        raise errors.InvalidCursor()
    sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    # Several texts decode to the same bytes; only the one that we write is taken.
    if _encode(sealed) != cursor:
        raise errors.InvalidCursor()
    tag, content = sealed[:_TAG_BYTES], sealed[_TAG_BYTES:]
    if not hmac.compare_digest(tag, _tag(key, scope, content)):
        raise errors.InvalidCursor()
    position: list[Any] = json.loads(content)
    return position


def _tag(key: bytes, scope: bytes, content: bytes) -> bytes:
    return hmac.new(key, scope + b"\0" + content, hashlib.sha256).digest()[:_TAG_BYTES]


async def _page(request: Request, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> PageRequest:
    filters = sorted(pair for pair in request.query_params.multi_items() if pair[0] not in _OWN_PARAMETERS)
    scope = json.dumps([request.state.caller.id, request.url.path, filters]).encode()
    key = bank_of(request).cursor_key
    return PageRequest(limit, None if cursor is None else _open(cursor, key, scope), scope, key)


Page = Annotated[PageRequest, Depends(_page)]
