"""One running service for each database, which all sweeps of a process share."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from app.db import unit_of_work
from tests.client import running
from tests.conftest import BACKENDS, postgresql_database, settings_for
from tests.record import record
from tests.sweep.trial import Tally
from tests.sweep.writes import World

# `make sweep`: each fault at each point.
THOROUGH = os.environ.get("SWEEP") == "thorough"

_Opened = dict[str, tuple[World, Tally]]


@pytest.fixture(scope="module")
def opened() -> Iterator[tuple[ExitStack, _Opened]]:
    """Services that have been started, by database; they end with the tests of a file."""
    worlds: _Opened = {}
    with ExitStack() as stack:
        yield stack, worlds
    for backend, (_, tally) in worlds.items():
        record(
            "failure sweep",
            command="make sweep",
            database=backend,
            points=tally.points,
            routes=tally.routes,
            lost=tally.lost,
            doubled=tally.doubled,
            differences=tally.differences,
        )


@pytest.fixture(params=BACKENDS)
def stage(
    request: pytest.FixtureRequest,
    opened: tuple[ExitStack, _Opened],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[World, Tally]:
    """The service on one database, and the tally of its sweeps."""
    # What is asked again is asked at once: nobody else is there to wait for.
    monkeypatch.setattr(unit_of_work, "_LONGEST_PAUSE", 0)
    stack, worlds = opened
    if request.param not in worlds:
        url = _database(request.param, request.getfixturevalue, stack, tmp_path_factory)
        # The sweeps of a busy machine take longer than the usual life of a token.
        settings = settings_for(url, session_cache_seconds=0, access_token_minutes=60)
        client = stack.enter_context(running(settings))
        worlds[request.param] = (World(client), Tally())
    return worlds[request.param]


def _database(
    backend: str, fixture: Callable[[str], str], stack: ExitStack, folders: pytest.TempPathFactory
) -> str:
    if backend == "postgresql":
        return stack.enter_context(postgresql_database(fixture("postgresql_server")))
    folder = folders.mktemp("sweep")
    shutil.copy(fixture("sqlite_template"), folder / "bank.db")
    return f"sqlite:///{folder / 'bank.db'}"
