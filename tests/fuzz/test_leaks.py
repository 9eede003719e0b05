"""Nothing secret is where it should not be: log, database, answers.

A real server logs at DEBUG while every place of every route is given a value of its own, good and bad,
also while each table in turn refuses every write, so that there are errors of every kind to tell of.
Then the log, the database with its WAL, and all answers are searched for the bytes, plain and disguised.

By design the database keeps e-mail addresses, idempotency keys (a replay needs them), what customers
write for themselves, and the name of their browser; request ids are for finding a request in the log.
"""

import base64
import itertools
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from app.core.config import Settings
from app.db.unit_of_work import Database
from tests.access import NO_TOKEN, OWNER, World
from tests.client import PASSWORD
from tests.conftest import SECRET
from tests.fuzz.leaks import MARK, breaking, disguises, leaked, mark, marks_in, stored
from tests.fuzz.places import FIELD, Place, all_routes, places
from tests.fuzz.remote import Remote
from tests.fuzz.sender import Sender
from tests.fuzz.values import TEXT, Value
from tests.fuzz.wire import Answer, Raw
from tests.record import record
from tests.routes import Route

# What a success may keep, and show to its owner.
KEPT = {
    "address",
    "description",
    "external_id",
    "full_name",
    "idempotency_key",
    "nickname",
    "Idempotency-Key",
    "User-Agent",
    "X-Request-Id",
}
TABLES = (
    "users",
    "sessions",
    "refresh_tokens",
    "account_holders",
    "accounts",
    "transfers",
    "entries",
    "cards",
    "authorizations",
    "idempotency_keys",
    "bulk_chunks",
    "audit_log",
)


class Canaries:
    """Puts a value of its own everywhere, and remembers which the service may keep."""

    def __init__(self, remote: Remote) -> None:
        self.remote = remote
        # A client of another process does all that the world asks of one inside this process.
        self.world = World(remote)  # type: ignore[arg-type]
        self.numbers = itertools.count()
        self.kept: set[str] = set()
        self.logged: set[str] = set()
        self.statuses: list[int] = []

    def values(self, place: Place) -> Iterator[tuple[str, Value]]:
        """The value, as it is written there; where an address is asked for, also as one."""
        for form in ("Bearer {}",) if place.kind == "authorization" else ("{}", "{}@example.com"):
            if "@" not in form or place.name in ("email", "username"):
                name = mark(next(self.numbers))
                yield name, Value("canary", TEXT, "", 0, form.format(name))

    def senders(self, actor: str) -> Iterator[Sender]:
        for route in all_routes(self.remote.app):
            # It sends and looks as a `Wire` does.
            yield Sender(self.world, self.remote, actor, route)  # type: ignore[arg-type]

    def put_everywhere(self, sender: Sender) -> None:
        for place in places(sender.route, self.remote.app):
            for name, value in self.values(place):
                request = sender.with_value(place, value)
                if request is not None:
                    self.note(sender.route, place, name, sender.send(request))

    def requests(self, sender: Sender) -> Iterator[tuple[Route, Place, str, Raw]]:
        """The requests with a value in a field or as the key, to be sent later."""
        for place in places(sender.route, self.remote.app):
            if place.where == FIELD or place.kind == "key":
                for name, value in self.values(place):
                    request = sender.with_value(place, value)
                    if request is not None:
                        yield sender.route, place, name, request

    def note(self, route: Route, place: Place, name: str, answer: Answer) -> None:
        self.statuses.append(answer.status)
        is_new_address = place.name == "email" and route.name == "POST /v1/auth/signup"
        if place.name == "X-Request-Id":
            self.logged.add(name)
        if answer.status < 400 and (place.name.rpartition("].")[2] in KEPT or is_new_address):
            self.kept.add(name)


def break_each_table(canaries: Canaries) -> None:
    """Sends every write while one table refuses every row; each must have made some of them fail."""
    client = canaries.remote
    for table in TABLES:
        writes = [one for one in canaries.senders(OWNER) if one.route.method != "GET"]
        requests = [one for sender in writes for one in canaries.requests(sender)]
        breaks, mends = breaking(client.app.state.bank.settings, table)
        _run(client.db, breaks)
        begin = len(canaries.statuses)
        for route, place, name, request in requests:
            canaries.note(route, place, name, client.send_and_look(request)[0])
        _run(client.db, mends)
        assert 500 in canaries.statuses[begin:], table


def _run(db: Database, statements: list[str]) -> None:
    for statement in statements:
        db.run_write(lambda session, sql=statement: session.execute(text(sql)) and None)


def test_no_secret_is_where_it_should_not_be(
    remote: Remote, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    canaries = Canaries(remote)
    for actor in (OWNER, NO_TOKEN):
        for sender in canaries.senders(actor):
            canaries.put_everywhere(sender)
    break_each_table(canaries)

    log, database = remote.server.log_file.read_bytes(), stored(settings, remote.db)
    answers, refusals = b"\n".join(remote.answers), b"\n".join(remote.refusals)
    everywhere = {"log": log, "database": database, "answers": answers, "refusals": refusals}
    # The search has something to search in: debug lines, tracebacks, all kinds of refusals.
    assert b'"DEBUG"' in log
    assert b"unexpected error" in log
    assert {400, 401, 404, 409, 415, 422, 500} <= set(canaries.statuses)
    assert canaries.kept & marks_in(database)

    secrets = {PASSWORD, "another good one", SECRET, *remote.tokens}
    found = {(where, one) for where, content in everywhere.items() for one in leaked(secrets, content)}
    # The values stand there by themselves where they may: what counts are their disguises.
    found |= {
        (where, MARK)
        for where, content in everywhere.items()
        if leaked({MARK}, content.replace(MARK.encode(), b""))
    }
    found |= {("log or refusals", one) for one in (marks_in(log) | marks_in(refusals)) - canaries.logged}
    kept = canaries.kept | canaries.logged
    found |= {("answers or database", one) for one in (marks_in(answers) | marks_in(database)) - kept}
    searched = sum(len(content) for content in everywhere.values())
    count, backend = next(canaries.numbers) + len(secrets), settings.url.get_backend_name()
    record("leaks", secrets=count, bytes_searched=searched, leaked=len(found), database=backend)
    assert found == set()
    assert b"$argon2" not in log + answers + refusals
    with capsys.disabled():
        print(f"\n{backend}: {count} secrets looked for in {searched:,} bytes")


@pytest.mark.parametrize("before", [b"", b"a", b"ab"])
def test_the_search_sees_through_disguises(before: bytes) -> None:
    secret = "a secret, ünd more"
    hidden = base64.b64encode(before + secret.encode() + b"after")
    assert any(form in hidden for form in disguises(secret))
    assert leaked({secret}, b"x" + hidden) == {secret}
    for form in (
        secret,
        "a%20secret%2C%20%C3%BCnd%20more",
        "a+secret%2C+%C3%BCnd+more",
        secret.encode().hex(),
    ):
        assert leaked({secret}, f"<{form}>".encode()) == {secret}
    assert leaked({secret}, b"something else") == set()
