"""What makes two requests with one key the same."""

from typing import Any

from app.api.idempotency import fingerprint, fingerprint_of
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


def test_method_path_query_and_body_make_a_request_what_it_is() -> None:
    asked = request({"a": 1})
    same = ("POST", "/", list[tuple[str, str]](), {"a": 1})
    assert fingerprint(asked) == fingerprint_of(*same)
    others = [
        ("PATCH", *same[1:]),
        ("POST", "/other", *same[2:]),
        ("POST", "/", [("a", "1")], {"a": 1}),
        (*same[:3], {"a": 2}),
    ]
    assert len({fingerprint_of(*one) for one in (same, *others)}) == 5
