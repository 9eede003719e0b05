"""Pages and cursors: over the list of sessions, and over a list with filters of the tests' own."""

import base64
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Query
from sqlalchemy import event
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.api.deps import CurrentUser
from app.api.paging import Page
from app.api.routing import ApiRoute
from app.core import clock, ids
from app.core.config import Settings
from app.models import LoginSession
from app.schemas.base import PageOf
from tests.client import ApiClient, Person, error_of, running

SESSIONS = "/v1/auth/sessions"
router = APIRouter(route_class=ApiRoute)


@router.get("/{letter}/numbers", response_model=PageOf[int])
async def list_numbers(
    letter: str,
    user: CurrentUser,
    page: Page,
    colour: Annotated[str | None, Query()] = None,
    at: Annotated[str | None, Query(alias="created_at.gte")] = None,
) -> Response:
    first = page.position[0] if page.position else 10
    rows = list(range(first - bool(page.position), 0, -1))[: page.limit + 1]
    return page.answer(rows, lambda row: [row], lambda row: row)


@pytest.fixture
def client(settings: Settings) -> Iterator[ApiClient]:
    # Every request asks the database who it is from, so that statements can be counted.
    with running(settings.model_copy(update={"session_cache_seconds": 0})) as api:
        api.app.router.routes.extend(router.routes)
        yield api


@pytest.fixture
def ada(client: ApiClient) -> Person:
    return client.sign_up()


def add_sessions(person: Person, count: int) -> list[str]:
    """More of them, quicker than by logging in; oldest first."""
    user_id = person.get("/v1/auth/me").json()["id"]

    def write(session: Session) -> list[str]:
        now = clock.now()
        made = [
            LoginSession(
                id=ids.new_id(ids.SESSION),
                user_id=user_id,
                created_at=now,
                last_used_at=now,
                expires_at=now + timedelta(days=1),
            )
            for _ in range(count)
        ]
        session.add_all(made)
        return [one.id for one in made]

    return person.client.db.run_write(write)


def page(person: Person, path: str = SESSIONS, **parameters: Any) -> dict[str, Any]:
    response = person.get(path, params=parameters)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    assert set(found) == {"data", "has_more", "next_cursor"}
    assert (found["next_cursor"] is not None) is found["has_more"]
    return found


def walk(person: Person, limit: int) -> Iterator[dict[str, Any]]:
    found = page(person, limit=limit)
    yield found
    while found["has_more"]:
        found = page(person, limit=limit, cursor=found["next_cursor"])
        yield found


def shown(found: dict[str, Any]) -> list[str]:
    return [one["id"] for one in found["data"]]


@pytest.mark.parametrize("limit", [1, 7, 30, 31, 100])
def test_walking_shows_each_once_newest_first(ada: Person, limit: int) -> None:
    added = add_sessions(ada, 30)
    pages = list(walk(ada, limit))
    found = [one for each in pages for one in shown(each)]
    assert found[:-1] == added[::-1]
    assert len(found) == len(set(found)) == 31
    assert {len(each["data"]) for each in pages[:-1]} <= {limit}


def test_without_a_limit_a_page_has_25(ada: Person) -> None:
    add_sessions(ada, 30)
    assert len(page(ada)["data"]) == 25


def test_what_is_added_between_two_pages_makes_no_gap_and_no_duplicate(ada: Person) -> None:
    there = add_sessions(ada, 10)
    found = []
    for each in walk(ada, 3):
        found += shown(each)
        add_sessions(ada, 2)
    assert found[:-1] == there[::-1]


def test_what_ends_between_two_pages_makes_no_gap(ada: Person) -> None:
    there = add_sessions(ada, 6)
    first = page(ada, limit=3)
    for session_id in shown(first):
        assert ada.delete(f"{SESSIONS}/{session_id}").status_code == 204
    assert shown(page(ada, limit=3, cursor=first["next_cursor"])) == there[2::-1]


def test_a_list_takes_the_same_statements_whatever_its_length(client: ApiClient, ada: Person) -> None:
    statements: list[str] = []
    event.listen(
        client.db.engines.reader, "before_cursor_execute", lambda *given: statements.append(given[2])
    )
    page(ada, limit=100)
    few = statements.copy()
    add_sessions(ada, 100)
    statements.clear()
    assert len(page(ada, limit=100)["data"]) == 100
    assert statements == few
    assert len([one for one in few if one.startswith("SELECT")]) <= 2


@pytest.mark.parametrize(
    "limit",
    ["0", "-1", "101", "1.5", "1_0", "abc", "", " 7", "+7", "1e1", "٣", "true", "9" * 30, "9" * 5000, "0x1"],
)
def test_a_limit_that_is_none_is_refused(ada: Person, limit: str) -> None:
    error = error_of(ada.get(SESSIONS, params={"limit": limit}), 422, "validation_failed")
    assert [detail["field"] for detail in error["details"]] == ["limit"]


def test_parameters_that_are_unknown_or_repeated_are_refused(ada: Person) -> None:
    error_of(ada.get(f"{SESSIONS}?offset=1"), 422, "validation_failed")
    error_of(ada.get(f"{SESSIONS}?limit=1&limit=2"), 422, "validation_failed")


def assert_invalid(person: Person, path: str, **parameters: Any) -> None:
    error_of(person.get(path, params=parameters), 422, "invalid_cursor")


def test_a_cursor_belongs_to_its_caller(client: ApiClient, ada: Person) -> None:
    add_sessions(ada, 2)
    cursor = page(ada, limit=1)["next_cursor"]
    assert_invalid(client.sign_up("grace@example.com"), SESSIONS, cursor=cursor)
    assert len(page(client.log_in(), cursor=cursor)["data"]) == 2


def test_a_cursor_belongs_to_its_list_and_filters_but_not_to_the_limit(ada: Person) -> None:
    filters = {"colour": "red", "created_at.gte": "2026-01-01"}
    cursor = page(ada, "/a/numbers", limit=3, **filters)["next_cursor"]
    assert page(ada, "/a/numbers", limit=2, cursor=cursor, **filters)["data"] == [7, 6]
    assert_invalid(ada, "/b/numbers", cursor=cursor, **filters)
    assert_invalid(ada, SESSIONS, cursor=cursor)
    assert_invalid(ada, "/a/numbers", cursor=cursor)
    assert_invalid(ada, "/a/numbers", cursor=cursor, colour="red")
    assert_invalid(ada, "/a/numbers", cursor=cursor, **filters | {"colour": "blue"})
    assert_invalid(ada, "/a/numbers", cursor=cursor, **filters | {"colour": ""})


def test_a_cursor_that_was_touched_is_refused(ada: Person) -> None:
    cursor = page(ada, "/a/numbers", limit=3)["next_cursor"]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for position, letter in enumerate(cursor):
        other = letters[letters.index(letter) ^ 1]
        assert_invalid(ada, "/a/numbers", cursor=cursor[:position] + other + cursor[position + 1 :])
    for length in range(len(cursor)):
        assert_invalid(ada, "/a/numbers", cursor=cursor[:length])
    for more in ("A", "AA", "AAA", "AAAA", "=", "==", "\n", " ", "%00"):
        assert_invalid(ada, "/a/numbers", cursor=cursor + more)


@pytest.mark.parametrize("length", range(20, 30))
def test_a_cursor_of_any_length_is_refused(ada: Person, length: int) -> None:
    assert_invalid(ada, SESSIONS, cursor="A" * length)


@pytest.mark.parametrize(
    "cursor",
    ["", "null", "é" * 30, "A" * 10_000, "ses_0", base64.urlsafe_b64encode(b"\0" * 16 + b"[1]").decode()],
)
def test_a_cursor_that_is_none_is_refused(ada: Person, cursor: str) -> None:
    assert_invalid(ada, SESSIONS, cursor=cursor)


def test_another_service_has_other_cursors(client: ApiClient, ada: Person, settings: Settings) -> None:
    cursor = page(ada, "/a/numbers", limit=3)["next_cursor"]
    other = settings.model_copy(update={"jwt_secret": type(settings.jwt_secret)("x" * 40)})
    with running(other) as api:
        api.app.router.routes.extend(router.routes)
        assert_invalid(api.log_in(), "/a/numbers", cursor=cursor)
