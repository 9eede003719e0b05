"""Which refusal wins when a request is wrong in several ways."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.client import ApiClient, error_of
from tests.probes import add_probes, admin_of


@dataclass
class Wrong:
    """A request that a test makes wrong step by step. As it begins, only the object is missing."""

    admin: str
    customer: str
    method: str = "POST"
    path: str = "/v1/probe/things/1"
    body: bytes = b'{"amount": 1}'
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.headers = {
            "Authorization": f"Bearer {self.admin}",
            "Content-Type": "application/json",
            "Idempotency-Key": "k",
        }

    def no_route(self) -> None:
        self.path = "/v1/probe/thing/1"

    def wrong_method(self) -> None:
        self.method = "PUT"

    def large_body(self) -> None:
        self.body = b" " * (1024 * 1024 + 1)

    def other_media_type(self) -> None:
        self.headers["Content-Type"] = "text/plain"

    def no_token(self) -> None:
        del self.headers["Authorization"]

    def too_often(self) -> None:
        self.headers["X-Brake"] = "on"

    def bad_json(self) -> None:
        self.body = b'{"amount": '

    def wrong_role(self) -> None:
        self.headers["Authorization"] = f"Bearer {self.customer}"

    def no_key(self) -> None:
        del self.headers["Idempotency-Key"]

    def wrong_field(self) -> None:
        self.body = b'{"amount": 0}'

    def nothing(self) -> None:
        """No such object."""


# The contract, row by row: whatever stands above wins.
ORDER: list[tuple[Callable[[Wrong], None], int, str]] = [
    (Wrong.no_route, 404, "not_found"),
    (Wrong.wrong_method, 405, "method_not_allowed"),
    (Wrong.large_body, 413, "body_too_large"),
    (Wrong.other_media_type, 415, "unsupported_media_type"),
    (Wrong.no_token, 401, "unauthenticated"),
    (Wrong.too_often, 429, "rate_limited"),
    (Wrong.bad_json, 400, "malformed_json"),
    (Wrong.wrong_role, 403, "forbidden"),
    (Wrong.no_key, 400, "idempotency_key_required"),
    (Wrong.wrong_field, 422, "validation_failed"),
    (Wrong.nothing, 404, "not_found"),
]


def test_of_any_two_faults_the_one_that_stands_above_is_told(client: ApiClient) -> None:
    add_probes(client)
    tokens = admin_of(client).access_token, client.sign_up().access_token
    for (above, status, code), (below, _, _) in itertools.combinations_with_replacement(ORDER, 2):
        request = Wrong(*tokens)
        for make_wrong in dict.fromkeys((below, above)):
            # A token that is missing cannot be a customer's, and the other way round.
            if (above, below) != (Wrong.no_token, Wrong.wrong_role) or make_wrong is above:
                make_wrong(request)
        answer = client.request(request.method, request.path, content=request.body, headers=request.headers)
        error = error_of(answer, status, code)
        assert "canary" not in str(error)
        if code == "method_not_allowed":
            assert answer.headers["allow"] == "POST"
        if code == "unauthenticated":
            assert answer.headers["www-authenticate"] == "Bearer"
        if code == "rate_limited":
            assert answer.headers["retry-after"] == "7"


def test_a_fault_in_the_query_does_not_hide_one_that_stands_above(client: ApiClient) -> None:
    answer = client.get("/v1/auth/sessions?nothing=1")
    error_of(answer, 401, "unauthenticated")
    answer = client.sign_up().get("/v1/auth/sessions?nothing=1")
    error_of(answer, 422, "validation_failed")


@pytest.mark.parametrize("body", [b"{", b"[]", b'"\xff"', b'{"password": "x"}'])
def test_a_stranger_learns_nothing_from_a_body(client: ApiClient, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.post("/v1/auth/password", content=body, headers=headers)
    assert error_of(answer, 401, "unauthenticated")["details"] == []
