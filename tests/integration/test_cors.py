"""Browsers of other origins: off unless set, exact origins only, never with credentials."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client import ApiClient, error_of, running
from tests.conftest import settings_for

APP = "https://app.test"
STRANGERS = ["https://evil.test", "null", "https://app.test.evil.test", "http://app.test", "https://app.test:8443",
             "https://app.test/", "https://APP.test", "*"]  # fmt: skip
ASK = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, idempotency-key",
}


@pytest.fixture
def open_to_app(sqlite_template: Path, tmp_path: Path) -> Iterator[ApiClient]:
    (tmp_path / "bank.db").write_bytes(sqlite_template.read_bytes())
    with running(settings_for(f"sqlite:///{tmp_path / 'bank.db'}", cors_origins=APP)) as client:
        yield client


@pytest.mark.parametrize("origin", [APP, *STRANGERS])
def test_no_origin_is_allowed_unless_one_is_set(client: ApiClient, origin: str) -> None:
    answer = client.get("/v1/health/live", headers={"Origin": origin})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]
    answer = client.options("/v1/auth/login", headers={"Origin": origin, **ASK})
    error_of(answer, 405, "method_not_allowed")
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_exact_origin_is_allowed_without_credentials(open_to_app: ApiClient) -> None:
    answer = open_to_app.get("/v1/health/live", headers={"Origin": APP})
    assert answer.headers["access-control-allow-origin"] == APP
    assert "access-control-allow-credentials" not in answer.headers
    assert "Origin" in answer.headers["vary"]
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"X-Request-Id", "Content-Disposition"} <= set(exposed)
    answer = open_to_app.options("/v1/auth/login", headers={"Origin": APP, **ASK})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == APP
    assert "access-control-allow-credentials" not in answer.headers
    assert "Origin" in answer.headers["vary"]


def test_a_refusal_can_be_read_by_the_allowed_origin(open_to_app: ApiClient) -> None:
    answer = open_to_app.get("/v1/auth/me", headers={"Origin": APP})
    error_of(answer, 401, "unauthenticated")
    assert answer.headers["access-control-allow-origin"] == APP


@pytest.mark.parametrize("origin", STRANGERS)
def test_every_other_origin_is_refused(open_to_app: ApiClient, origin: str) -> None:
    answer = open_to_app.get("/v1/health/live", headers={"Origin": origin})
    assert "access-control-allow-origin" not in answer.headers
    assert "Origin" in answer.headers["vary"]
    answer = open_to_app.options("/v1/auth/login", headers={"Origin": origin, **ASK})
    error_of(answer, 400, "malformed_request")
    assert "access-control-allow-origin" not in answer.headers
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize(
    "ask", [{"Access-Control-Request-Method": "PUT"}, ASK | {"Access-Control-Request-Headers": "x-secret"}]
)
def test_other_methods_and_headers_are_refused_to_the_allowed_origin_as_well(
    open_to_app: ApiClient, ask: dict[str, str]
) -> None:
    answer = open_to_app.options("/v1/auth/login", headers={"Origin": APP, **ask})
    error_of(answer, 400, "malformed_request")
