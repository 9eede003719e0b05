"""ETag and If-Match, through a route of the tests' own."""

from collections.abc import Iterator

import pytest
from fastapi import APIRouter, Response

from app.api.etags import IfMatch, etag
from app.api.routing import ApiRoute
from app.core.config import Settings
from app.core.errors import PreconditionFailed
from tests import scratch
from tests.client import ApiClient, error_of, running

pytestmark = scratch.ONLY_SQLITE
CURRENT = 7
router = APIRouter(route_class=ApiRoute)


@router.patch("/thing")
async def change(accepted: IfMatch, response: Response) -> None:
    PreconditionFailed.check(accepted, CURRENT)
    response.headers["ETag"] = etag(CURRENT + 1)


@pytest.fixture
def client(settings: Settings) -> Iterator[ApiClient]:
    with running(settings) as api:
        api.app.router.routes.extend(router.routes)
        yield api


@pytest.mark.parametrize(
    "tags", [[], ["*"], [" * "], ['"7"'], ['W/"7"'], ['"6", "7"'], ['"6"', '"7"'], ['"6","x", "7"'], [""]]
)
def test_a_change_of_what_the_client_has_seen_is_made(client: ApiClient, tags: list[str]) -> None:
    response = client.patch("/thing", headers=[("If-Match", tag) for tag in tags])
    assert response.status_code == 200
    assert response.headers["ETag"] == '"8"'


@pytest.mark.parametrize(
    "tags",
    [
        ['"6"'],
        ['"8"'],
        ["7"],
        ['"07x"'],
        ['"6", "8"'],
        ["'7'"],
        ['"7'],
        ['w/"7"'],
        ['"-7"'],
        ['"9' + "9" * 30 + '"'],
    ],
)
def test_a_change_of_what_has_changed_since_is_refused(client: ApiClient, tags: list[str]) -> None:
    response = client.patch("/thing", headers=[("If-Match", tag) for tag in tags])
    error_of(response, 412, "precondition_failed")
