"""What makes two requests with one key the same."""

from typing import Any

from app.api.idempotency import fingerprint
from app.api.routing import ApiRequest


def request(parsed: Any) -> ApiRequest:
    made = ApiRequest({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []})
    made.parsed = parsed
    return made


def test_no_body_is_the_empty_object() -> None:
    assert fingerprint(request(None)) == fingerprint(request({})) == fingerprint(request({"a": None}))


def test_nothing_else_that_is_empty_is_the_empty_object_or_another() -> None:
    bodies: list[Any] = [{}, [], 0, False, "", {"a": ""}]
    assert len({fingerprint(request(body)) for body in bodies}) == len(bodies)
