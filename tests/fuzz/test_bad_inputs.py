"""Every hostile value of `bad_inputs.json` at every place of every route where it fits.

As a customer, as a teller and as nobody, on both databases. `make fuzz` (FUZZ=long) also puts values
where they do not fit: another choice of them with each SEED.
"""

import itertools
import json
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from app.core.config import Settings
from tests.access import NO_TOKEN, NOBODYS, REQUESTS, WALK_INS, World
from tests.architecture.documents import table
from tests.bank import assert_right
from tests.client import running
from tests.conftest import settings_for
from tests.fuzz.judge import ACTORS, FORM, TELLER, Judge, state
from tests.fuzz.places import BODY, HEADER, MERGE, METHOD, PATH, QUERY, Place, all_routes, places
from tests.fuzz.values import ACCEPTED, Value, values
from tests.fuzz.wire import Answer, Raw, Wire
from tests.record import record, seed
from tests.routes import Route

IS_LONG = os.environ.get("FUZZ") == "long"
VALUES = values()


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    with running(settings_for(database_url, login_attempts=1000)) as client:
        client.sign_up("bob@x.example.com")
        client.sign_up("mike@x.example.com")
        yield World(client)


class Sender:
    """Sends one route's request as one actor, with a value put somewhere.

    The good request is made again after each success that is not a GET: it may have used something up.
    """

    def __init__(self, world: World, wire: Wire, actor: str, route: Route) -> None:
        self.world, self.wire, self.actor, self.route = world, wire, actor, route
        self.asked = REQUESTS[route.name]
        self.number = 0
        self.renew()

    def renew(self) -> None:
        self.wanted = self.asked.wanted(self.world, self.whose)
        self.person = self.world.caller(self.actor, fresh=self.asked.fresh)
        self.state = self.world.client.db.run_read(state)

    @property
    def whose(self) -> str:
        if self.actor == TELLER and WALK_INS in self.asked.whose:
            return WALK_INS
        return NOBODYS if NOBODYS in self.asked.whose else self.asked.whose[0]

    def good(self) -> Raw:
        self.number += 1
        path = self.route.at(self.wanted.ids).encode()
        headers = {}
        if self.actor != NO_TOKEN:
            headers["authorization"] = f"Bearer {self.person.access_token}".encode()
        if "Idempotency-Key" in self.route.parameters:
            headers["idempotency-key"] = f"{self.route.name} {self.number}".encode()
        if self.route.media_type:
            headers["content-type"] = self.route.media_type.encode()
        query = urlencode(self.wanted.query).encode()
        return Raw(self.route.method, path, query, headers, self._body(self.wanted.body))

    def _body(self, content: dict[str, Any] | None, field: str = "", token: bytes = b"") -> bytes:
        """The body, as the route's media type, with this token in one field."""
        members = {name: json.dumps(one).encode() for name, one in (content or {}).items()}
        if field:
            members[field] = token
        if content is None and not field:
            return b""
        if self.route.media_type == FORM:
            plain = {name: str(one) for name, one in (content or {}).items() if name != field}
            return urlencode(plain).encode() + (b"&" + field.encode() + b"=" + token if field else b"")
        return (
            b"{" + b", ".join(json.dumps(name).encode() + b":" + one for name, one in members.items()) + b"}"
        )

    def with_value(self, place: Place, value: Value) -> Raw | None:
        """The good request with the value at the place; None where it cannot be written there."""
        good = self.good()
        if place.where == PATH:
            ids = self.wanted.ids | {place.name: value.in_url.decode()}
            return replace(good, path=self.route.at(ids).encode())
        if place.where == QUERY:
            return good.with_query(place.name, value.in_url)
        if place.where == HEADER:
            # A key is used once.
            once = f" {self.actor} {self.route.name}".encode() if value.verdict == ACCEPTED else b""
            return good.with_header(place.name, value.in_header + (once if place.kind == "key" else b""))
        if place.where == METHOD:
            return replace(good, method=value.raw) if value.fits == "method" else None
        if place.where == BODY:
            headers = {"content-type": (self.route.media_type or "application/json").encode()}
            return replace(good, headers=good.headers | headers, body=value.raw.encode())
        return self._with_field(good, place, value)

    def _with_field(self, good: Raw, place: Place, value: Value) -> Raw | None:
        content = dict(self.wanted.body or {})
        headers = {"content-type": (self.route.media_type or "application/json").encode()}
        headers = good.headers | headers
        if place.where == MERGE:
            if not isinstance(value.content, dict):
                return None
            return replace(good, headers=headers, body=self._body(content | value.content))
        if place.name == "destination_account_id":
            del content["destination_account_number"]
        token = value.in_url if self.route.media_type == FORM else value.token
        return replace(good, headers=headers, body=self._body(content, place.name, token))

    def send(self, request: Raw) -> Answer:
        """Sends it; a refusal and a GET have written nothing."""
        answer, after = self.wire.send_and_look(request)
        if after is None:
            self.renew()
        else:
            assert after == self.state, f"{self.route.name} wrote and answered {answer.status}: {request}"
        return answer


class Choice:
    """Which values are tried at a place: those that fit; in the long form also some of the others."""

    def __init__(self) -> None:
        self.random = random.Random(seed())

    def takes(self, place: Place, right: set[int] | None) -> bool:
        # The headers that no route reads mean the same to all of them.
        share = 0.02 if place.kind == "free" else 0.4
        return right is not None or (IS_LONG and self.random.random() < share)


def test_every_value_gets_its_verdict_at_every_place_where_it_fits(
    world: World, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    app = world.client.app
    judge, choice = Judge(app, all_routes(app)), Choice()
    expected = {(row["Route"], row["Whose"]): row for row in table("docs/access.md", "Route")}
    met: set[str] = set()
    for number, actor in enumerate(ACTORS):
        wire = Wire(world.client, f"198.51.100.{number}", state)
        for route in all_routes(app):
            sender = Sender(world, wire, actor, route)
            for place, value in itertools.product(places(route, app), VALUES):
                right = judge.verdict(actor, route, place, value)
                request = sender.with_value(place, value) if choice.takes(place, right) else None
                if request is not None:
                    answer = sender.send(request)
                    judge.check(answer, route, place, value)
                    assert right is None or answer.status in right, (actor, route.name, place, value, answer)
                    met |= {value.group} if right else set()
            # Afterwards a good request is answered as ever.
            good = sender.send(sender.good())
            assert str(good.status) == expected[route.name, sender.whose][actor].split()[0], route.name
    assert met == {value.group for value in VALUES}
    assert world.client.get("/v1/health").status_code == 200
    assert_right(world.client.db)
    requests, backend = judge.seen.total(), settings.url.get_backend_name()
    with capsys.disabled():
        told = ", ".join(f"{count} x {status}" for status, count in sorted(judge.seen.items()))
        print(f"\n{backend}: {requests} bad inputs with seed {seed()}, answered {told}")
    record("bad inputs", requests=requests, server_errors=0, undocumented=0, database=backend, seed=seed())
