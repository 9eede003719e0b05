"""Idempotency keys, through a route of the tests' own on the real application."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Query
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from app.api.deps import CurrentUser, IdempotencyKey, OptionalKey
from app.api.idempotency import create_once
from app.api.routing import ApiRoute
from app.core import errors
from app.core.config import Settings
from app.models import IdempotencyKey as StoredKey
from app.schemas.base import RequestModel, ResponseModel
from tests import scratch
from tests.client import ApiClient, Person, error_of, running

router = APIRouter(route_class=ApiRoute)
KEY = {"Idempotency-Key": "key-1"}


class NoteIn(RequestModel):
    id: int
    title: str | None = None
    tags: dict[str, str | None] | None = None
    lines: list[str] | None = None


class NoteOut(ResponseModel):
    id: int
    count: int
    secret: str | None
    sign: str = "…"


class Count(ResponseModel):
    count: int


@router.post("/notes")
async def make_note(
    body: NoteIn,
    user: CurrentUser,
    claim: IdempotencyKey,
    request: Request,
    colour: Annotated[str | None, Query()] = None,
) -> Response:
    return await once(request, claim, body)


@router.post("/books")
async def make_book(body: NoteIn, user: CurrentUser, claim: OptionalKey, request: Request) -> Response:
    return await once(request, claim, body)


@router.post("/books/count")
async def count_books(user: CurrentUser, claim: OptionalKey, request: Request) -> Response:
    return await create_once(request, claim, scratch.total, lambda count: Count(count=count), status=200)


@router.post("/books/{number}/open")
async def open_book(number: int, user: CurrentUser, claim: OptionalKey, request: Request) -> Response:
    return await once(request, claim, NoteIn(id=number))


async def once(request: Request, claim: Any, body: NoteIn) -> Response:
    def act(session: Session) -> scratch.Note | errors.BankingError:
        if body.title == "crash":
            scratch.add(session, body.id)
            raise RuntimeError("crash")
        if body.title == "refuse":
            scratch.add(session, body.id)
            raise errors.EmailTaken()
        note = scratch.Note(id=body.id, count=scratch.total(session))
        session.add(note)
        session.flush()
        return errors.EmailTaken() if body.title == "refuse with a trace" else note

    return await create_once(
        request,
        claim,
        act,
        lambda note: NoteOut(id=note.id, count=note.count, secret=f"se…cret {note.id}"),
        location=lambda note: f"/notes/{note.id}",
        version=lambda note: note.count + 7,
        shown_once=frozenset({"secret"}),
    )


@pytest.fixture
def client(settings: Settings) -> Iterator[ApiClient]:
    with running(settings) as api:
        api.app.router.routes.extend(router.routes)
        scratch.create(api.db)
        yield api


@pytest.fixture
def ada(client: ApiClient) -> Person:
    return client.sign_up()


def stored_keys(client: ApiClient) -> int:
    return client.db.run_read(
        lambda session: session.scalar(select(func.count()).select_from(StoredKey)) or 0
    )


def assert_made(response: httpx.Response, number: int, *, count: int = 0) -> None:
    assert response.status_code == 201, response.text
    assert response.json() == {"id": number, "count": count, "secret": f"se…cret {number}", "sign": "…"}
    assert response.headers["Location"] == f"/notes/{number}"
    assert response.headers["ETag"] == f'"{count + 7}"'
    assert "Idempotent-Replayed" not in response.headers


def assert_replay(response: httpx.Response, number: int, *, count: int = 0) -> None:
    assert response.status_code == 201, response.text
    assert response.text == f'{{"id":{number},"count":{count},"secret":null,"sign":"…"}}'
    assert response.headers["Location"] == f"/notes/{number}"
    assert "ETag" not in response.headers, "a later version may be current"
    assert response.headers["Idempotent-Replayed"] == "true"
    assert response.headers["Content-Type"] == "application/json"


def test_the_same_request_again_is_answered_the_same_and_does_nothing(client: ApiClient, ada: Person) -> None:
    assert_made(ada.post("/notes", json={"id": 1}, headers=KEY), 1)
    assert_made(ada.post("/notes", json={"id": 2}, headers={"Idempotency-Key": "key-2"}), 2, count=1)
    for _ in range(2):
        assert_replay(ada.post("/notes", json={"id": 1}, headers=KEY), 1)
    assert scratch.notes(client.db) == [1, 2]
    assert stored_keys(client) == 2


def test_a_secret_is_nowhere_among_the_keys(client: ApiClient, ada: Person) -> None:
    assert_made(ada.post("/notes", json={"id": 1}, headers=KEY), 1)
    bodies = client.db.run_read(lambda session: session.scalars(select(StoredKey.body)).all())
    assert bodies == ['{"id":1,"count":0,"secret":null,"sign":"…"}']


@pytest.mark.parametrize(
    "body",
    [
        '{"tags": {"a": "x", "b": "y"}, "id": 1, "title": "t"}',
        ' {"id":1,\n"title":"t" , "tags":{"b":"y","a":"x"}}\t',
        '{"id": 1, "title": "\\u0074", "tags": {"a": "x", "b": "y", "c": null}}',
    ],
)
def test_order_white_space_and_null_do_not_matter(ada: Person, body: str) -> None:
    first = {"id": 1, "title": "t", "tags": {"a": "x", "b": "y"}}
    assert_made(ada.post("/notes", json=first, headers=KEY), 1)
    json_type = {"Content-Type": "application/json; charset=UTF-8", "X-Request-Id": "another"}
    assert_replay(ada.post("/notes", content=body, headers=KEY | json_type), 1)


@pytest.mark.parametrize("first", [{"id": 1}, {"id": 1, "title": None}])
@pytest.mark.parametrize("second", [{"id": 1}, {"id": 1, "title": None}])
def test_null_is_absent(ada: Person, first: dict[str, Any], second: dict[str, Any]) -> None:
    assert_made(ada.post("/notes", json=first, headers=KEY), 1)
    assert_replay(ada.post("/notes", json=second, headers=KEY), 1)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/notes", {"id": 2}),
        ("/notes", {"id": 1, "title": ""}),
        ("/notes", {"id": 1, "tags": {"a": "1"}}),
        ("/notes", {"id": 1, "lines": []}),
        ("/notes?colour=red", {"id": 1}),
        ("/notes?colour=", {"id": 1}),
        ("/books", {"id": 1}),
        ("/books/1/open", None),
    ],
)
def test_another_request_with_the_key_is_refused(
    client: ApiClient, ada: Person, path: str, body: dict[str, Any] | None
) -> None:
    assert_made(ada.post("/notes", json={"id": 1}, headers=KEY), 1)
    error_of(ada.post(path, json=body, headers=KEY), 422, "idempotency_key_reused")
    assert scratch.notes(client.db) == [1]
    assert_replay(ada.post("/notes", json={"id": 1}, headers=KEY), 1)


def test_what_is_in_a_list_tells_requests_apart(ada: Person) -> None:
    assert_made(ada.post("/notes", json={"id": 1, "lines": ["a", "b"]}, headers=KEY), 1)
    for lines in (["a", "c"], ["b", "a"], ["a"]):
        other = ada.post("/notes", json={"id": 1, "lines": lines}, headers=KEY)
        error_of(other, 422, "idempotency_key_reused")
    assert_replay(ada.post("/notes", json={"id": 1, "lines": ["a", "b"]}, headers=KEY), 1)


def test_query_parameters_in_another_order_are_the_same_request(ada: Person) -> None:
    assert_made(ada.post("/notes?colour=a%20b", json={"id": 1}, headers=KEY), 1)
    assert_replay(ada.post("/notes?colour=a+b", json={"id": 1}, headers=KEY), 1)


@pytest.mark.parametrize("body", [None, {}])
def test_an_action_without_a_body_is_the_same_with_an_empty_one(ada: Person, body: Any) -> None:
    assert_made(ada.post("/books/1/open", json=body, headers=KEY), 1)
    assert_replay(ada.post("/books/1/open", headers=KEY), 1)
    error_of(ada.post("/books/2/open", headers=KEY), 422, "idempotency_key_reused")


def test_what_makes_nothing_has_no_location_and_no_version(ada: Person) -> None:
    first, second = (ada.post("/books/count", headers=KEY) for _ in range(2))
    assert (first.status_code, first.text) == (200, '{"count":0}')
    assert not {"location", "etag", "idempotent-replayed"} & set(first.headers)
    assert (second.status_code, second.text) == (200, first.text)
    assert not {"location", "etag"} & set(second.headers)
    assert second.headers["Idempotent-Replayed"] == "true"


def test_a_required_key_is_missed(client: ApiClient, ada: Person) -> None:
    error_of(ada.post("/notes", json={"id": 1}), 400, "idempotency_key_required")
    assert scratch.notes(client.db) == []


def test_an_optional_key_may_be_left_out(client: ApiClient, ada: Person) -> None:
    assert_made(ada.post("/books", json={"id": 1}), 1)
    assert_made(ada.post("/books", json={"id": 2}), 2, count=1)
    assert stored_keys(client) == 0


@pytest.mark.parametrize("path", ["/notes", "/books"])
@pytest.mark.parametrize(
    "keys",
    [[b""], [b"a", b"b"], [b"a", b"a"], [b"k" * 256], [b"k\xc3\xa9y"], [b"k\x7f"], [b"a\x01b"], [b"a\tb"]],
)
def test_a_key_that_is_not_one_is_refused(
    client: ApiClient, ada: Person, path: str, keys: list[bytes]
) -> None:
    headers = [*ada.bearer.items(), *[("Idempotency-Key", key) for key in keys]]
    response = client.post(path, json={"id": 1}, headers=headers)  # type: ignore[arg-type]
    error_of(response, 400, "idempotency_key_invalid")
    assert scratch.notes(client.db) == []


@pytest.mark.parametrize("key", ["k", "k" * 255, "~!\"#$%&'()*+,-./:;<=>?@[]^_`{|}", "a b", "\\"])
def test_every_printable_key_works(ada: Person, key: str) -> None:
    assert_made(ada.post("/notes", json={"id": 1}, headers={"Idempotency-Key": key}), 1)
    assert_replay(ada.post("/notes", json={"id": 1}, headers={"Idempotency-Key": key}), 1)


def test_keys_differ_by_case(ada: Person) -> None:
    assert_made(ada.post("/notes", json={"id": 1}, headers={"Idempotency-Key": "a"}), 1)
    assert_made(ada.post("/notes", json={"id": 2}, headers={"Idempotency-Key": "A"}), 2, count=1)


def test_the_key_belongs_to_the_user_and_not_to_the_token(client: ApiClient, ada: Person) -> None:
    assert_made(ada.post("/notes", json={"id": 1}, headers=KEY), 1)
    assert_replay(client.log_in().post("/notes", json={"id": 1}, headers=KEY), 1)
    grace = client.sign_up("grace@example.com")
    assert_made(grace.post("/notes", json={"id": 2}, headers=KEY), 2, count=1)
    assert_replay(ada.post("/notes", json={"id": 1}, headers=KEY), 1)


@pytest.mark.parametrize(
    ("title", "status", "code"), [("refuse", 409, "email_taken"), ("crash", 500, "internal_error")]
)
def test_a_refusal_stores_nothing_and_frees_the_key(
    client: ApiClient, ada: Person, title: str, status: int, code: str
) -> None:
    for _ in range(2):
        error_of(ada.post("/notes", json={"id": 1, "title": title}, headers=KEY), status, code)
        assert scratch.notes(client.db) == []
        assert stored_keys(client) == 0
    assert_made(ada.post("/notes", json={"id": 1}, headers=KEY), 1)


def test_a_refusal_that_leaves_a_trace_frees_the_key(client: ApiClient, ada: Person) -> None:
    refused = {"id": 1, "title": "refuse with a trace"}
    error_of(ada.post("/notes", json=refused, headers=KEY), 409, "email_taken")
    error_of(ada.post("/books", json=refused | {"id": 2}), 409, "email_taken")
    assert scratch.notes(client.db) == [1, 2]
    assert stored_keys(client) == 0
    assert_made(ada.post("/notes", json={"id": 3}, headers=KEY), 3, count=2)


def test_a_refusal_frees_its_own_key_and_no_other(client: ApiClient, ada: Person) -> None:
    grace = client.sign_up("grace@example.com")
    other = {"Idempotency-Key": "key-2"}
    assert_made(ada.post("/notes", json={"id": 1}, headers=other), 1)
    assert_made(grace.post("/notes", json={"id": 2}, headers=KEY), 2, count=1)
    refused = {"id": 3, "title": "refuse with a trace"}
    error_of(ada.post("/notes", json=refused, headers=KEY), 409, "email_taken")
    assert_replay(ada.post("/notes", json={"id": 1}, headers=other), 1)
    assert_replay(grace.post("/notes", json={"id": 2}, headers=KEY), 2, count=1)


def test_a_commit_that_fails_frees_the_key(client: ApiClient, ada: Person) -> None:
    scratch.fail_commits_after(client.db, "notes")
    error_of(ada.post("/notes", json={"id": 1}, headers=KEY), 500, "internal_error")
    assert (scratch.notes(client.db), stored_keys(client)) == ([], 0)
    scratch.succeed_again(client.db, "notes")
    assert_made(ada.post("/notes", json={"id": 1}, headers=KEY), 1)


@scratch.ONLY_POSTGRESQL
@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_what_the_database_rejects_has_its_effect_once(client: ApiClient, ada: Person, state: str) -> None:
    rejection = f"RAISE EXCEPTION 'again' USING ERRCODE = '{state}'"
    scratch.fail_on_insert(client.db, rejection, times=2, table="idempotency_keys")
    assert_made(ada.post("/notes", json={"id": 1}, headers=KEY), 1)
    assert_replay(ada.post("/notes", json={"id": 1}, headers=KEY), 1)


def test_the_key_is_checked_before_the_fields_and_they_before_the_replay(
    client: ApiClient, ada: Person
) -> None:
    assert_made(ada.post("/notes", json={"id": 1}, headers=KEY), 1)
    error_of(client.post("/notes", json={"id": "x"}), 401, "unauthenticated")
    error_of(ada.post("/notes", content="{"), 415, "unsupported_media_type")
    json_type = {"Content-Type": "application/json"}
    error_of(ada.post("/notes", content="{", headers=json_type), 400, "malformed_json")
    error_of(ada.post("/notes", json={"id": "x"}), 400, "idempotency_key_required")
    error_of(ada.post("/notes?x=1", json={"id": 1}), 400, "idempotency_key_required")
    too_long = {"Idempotency-Key": "k" * 256}
    error_of(ada.post("/notes", json={"id": "x"}, headers=too_long), 400, "idempotency_key_invalid")
    error_of(ada.post("/notes", json={"id": "x"}, headers=KEY), 422, "validation_failed")
    error_of(ada.post("/notes?x=1", json={"id": 1}, headers=KEY), 422, "validation_failed")
    assert_replay(ada.post("/notes", json={"id": 1}, headers=KEY), 1)


def test_twenty_at_once_have_one_effect(client: ApiClient, ada: Person) -> None:
    with ThreadPoolExecutor(20) as pool:
        sent = [pool.submit(ada.post, "/notes", json={"id": 1}, headers=KEY) for _ in range(20)]
    answers = [one.result() for one in sent]
    assert scratch.notes(client.db) == [1]
    made = [one for one in answers if one.status_code == 201 and "Idempotent-Replayed" not in one.headers]
    assert len(made) == 1
    assert_made(made[0], 1)
    for answer in answers:
        if answer.status_code == 409:
            error_of(answer, 409, "idempotency_in_progress")
            assert answer.headers["Retry-After"] == "1"
        elif answer is not made[0]:
            assert_replay(answer, 1)
    assert_replay(ada.post("/notes", json={"id": 1}, headers=KEY), 1)


def test_different_requests_with_one_key_at_once_have_one_effect(client: ApiClient, ada: Person) -> None:
    with ThreadPoolExecutor(10) as pool:
        sent = [pool.submit(ada.post, "/notes", json={"id": n}, headers=KEY) for n in range(10)]
    statuses = sorted(one.result().status_code for one in sent)
    assert statuses == [201] + [422] * 9
    assert len(scratch.notes(client.db)) == 1


@scratch.ONLY_POSTGRESQL
def test_a_key_that_is_held_by_another_process_is_in_progress(settings: Settings) -> None:
    with running(settings.model_copy(update={"lock_timeout_seconds": 0.2})) as client:
        client.app.router.routes.extend(router.routes)
        scratch.create(client.db)
        ada = client.sign_up()
        holder = ada.get("/v1/auth/me").json()["id"]
        claim = "INSERT INTO idempotency_keys VALUES ('{}', 'key-1', '', 0, '', NULL, 0)"
        with scratch.other_writer(settings, claim.format(holder)):
            refused = ada.post("/notes", json={"id": 1}, headers=KEY)
            error_of(refused, 409, "idempotency_in_progress")
            assert refused.headers["Retry-After"] == "1"
        assert scratch.notes(client.db) == []
        assert_made(ada.post("/notes", json={"id": 1}, headers=KEY), 1)


def test_the_key_is_ignored_where_tokens_are_made(client: ApiClient, ada: Person) -> None:
    body = {"email": "ada@example.com", "password": "a good long password"}
    first, second = (client.post("/v1/auth/login", json=body, headers=KEY) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json()["refresh_token"] != second.json()["refresh_token"]
    assert stored_keys(client) == 0
