"""Every hostile value of `bad_inputs.json` at every place of every route where it fits.

As a customer, as a teller and as nobody, on both databases. `make fuzz` (FUZZ=long) also puts values
where they do not fit: another choice of them with each SEED.
"""

import itertools
import os
import random
from collections.abc import Iterator

import pytest

from app.core.config import Settings
from tests.access import World
from tests.architecture.documents import table
from tests.bank import assert_right
from tests.client import running
from tests.conftest import settings_for
from tests.fuzz.judge import ACTORS, Judge, state
from tests.fuzz.places import Place, all_routes, places
from tests.fuzz.sender import Sender
from tests.fuzz.values import values
from tests.fuzz.wire import Wire
from tests.record import record, seed

IS_LONG = os.environ.get("FUZZ") == "long"
VALUES = values()


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    # The long form logs in and opens accounts more often than anybody may by default.
    settings = settings_for(database_url, login_attempts=1000, accounts_per_holder=1000)
    with running(settings) as client:
        client.sign_up("bob@x.example.com")
        client.sign_up("mike@x.example.com")
        yield World(client)


class Choice:
    """Which values are tried at a place: those that fit; in the long form also some of the others."""

    def __init__(self) -> None:
        self.random = random.Random(seed())

    def takes(self, place: Place, right: set[int] | None) -> bool:
        # The headers that no route reads mean the same to all of them.
        share = 0.02 if place.kind == "free" else 0.4
        return right is not None or (IS_LONG and self.random.random() < share)


def put_everywhere(sender: Sender, judge: Judge, choice: Choice) -> set[str]:
    """Puts the values at the places of one route, and judges each answer. The groups with a verdict."""
    app, route, actor = sender.world.client.app, sender.route, sender.actor
    met: set[str] = set()
    for place, value in itertools.product(places(route, app), VALUES):
        right = judge.verdict(actor, route, place, value)
        request = sender.with_value(place, value) if choice.takes(place, right) else None
        if request is not None:
            answer = judge.count(sender.send(request), route, place)
            judge.check(answer, route, place, value)
            assert right is None or answer.status in right, (actor, route.name, place, value, answer)
            met |= {value.group} if right else set()
    return met


def attack(world: World, judge: Judge) -> set[str]:
    """As everybody, at every route; afterwards a good request is answered as ever."""
    choice, met = Choice(), set[str]()
    expected = {(row["Route"], row["Whose"]): row for row in table("docs/access.md", "Route")}
    for number, actor in enumerate(ACTORS):
        wire = Wire(world.client, f"198.51.100.{number}", state)
        for route in all_routes(world.client.app):
            sender = Sender(world, wire, actor, route)
            met |= put_everywhere(sender, judge, choice)
            good = sender.send(sender.good())
            assert str(good.status) == expected[route.name, sender.whose][actor].split()[0], route.name
    return met


def test_every_value_gets_its_verdict_at_every_place_where_it_fits(
    world: World, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    app, backend = world.client.app, settings.url.get_backend_name()
    judge = Judge(app, all_routes(app))
    try:
        met = attack(world, judge)
    finally:
        record("bad inputs", database=backend, seed=seed(), **judge.counts)
    assert met == {value.group for value in VALUES}
    assert world.client.get("/v1/health").status_code == 200
    assert_right(world.client.db)
    with capsys.disabled():
        told = ", ".join(f"{count} x {status}" for status, count in sorted(judge.seen.items()))
        print(f"\n{backend}: {judge.seen.total()} bad inputs with seed {seed()}, answered {told}")
