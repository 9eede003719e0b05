"""Work whose turn comes too late is not begun, so that nobody waits without end behind a lock."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.core import errors
from app.core.config import Settings
from app.db import unit_of_work
from app.db.unit_of_work import Database
from tests import scratch

LONGEST = 0.2


@pytest.fixture
def narrow(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """One writer, one reader, and little patience."""
    database = Database(settings.model_copy(update={"write_workers": 1, "read_workers": 1}))
    scratch.create(database)
    monkeypatch.setattr(unit_of_work, "_LONGEST_WAIT", LONGEST)
    yield database
    database.close()


async def outlast(gate: threading.Event) -> None:
    """Waits longer than anybody may, then lets go."""
    await asyncio.sleep(2 * LONGEST)
    gate.set()


@pytest.mark.parametrize("way", ["read", "write"])
def test_work_behind_a_long_one_is_overloaded_and_not_run(narrow: Database, way: str) -> None:
    gate = threading.Event()
    begun: list[Session] = []

    async def scenario() -> None:
        run = getattr(narrow, way)
        first = asyncio.ensure_future(run(lambda _: gate.wait(30)))
        late = [asyncio.ensure_future(run(begun.append)) for _ in range(3)]
        await outlast(gate)
        assert await first is True
        found = await asyncio.gather(*late, return_exceptions=True)
        assert [type(one) for one in found] == [errors.Overloaded] * 3
        await run(begun.append)

    scratch.run(scenario)
    assert len(begun) == 1, "the one that came in time"


def test_of_a_batch_only_what_has_waited_too_long_is_overloaded(narrow: Database) -> None:
    gate, handed_over = threading.Event(), threading.Event()

    def post(session: Session, numbers: Sequence[int]) -> Any:
        if not handed_over.is_set():
            handed_over.set()
            gate.wait(30)
        return scratch.post(session, numbers)

    async def scenario() -> None:
        first = asyncio.ensure_future(narrow.write_batched(post, 1))
        while not handed_over.is_set():
            await asyncio.sleep(0)
        late = asyncio.ensure_future(narrow.write_batched(post, 2))
        await asyncio.sleep(2 * LONGEST)
        fresh = [asyncio.ensure_future(narrow.write_batched(post, number)) for number in (3, -4)]
        await asyncio.sleep(0)
        gate.set()
        found = await asyncio.gather(first, late, *fresh, return_exceptions=True)
        assert found[0] == 1
        assert [type(one) for one in found[1:]] == [errors.Overloaded, int, errors.EmailTaken]

    scratch.run(scenario)
    assert scratch.notes(narrow) == [1, 3]


def test_a_batch_of_nothing_but_late_commands_does_not_touch_the_database(narrow: Database) -> None:
    gate = threading.Event()

    async def scenario() -> None:
        first = asyncio.ensure_future(narrow.write(lambda _: gate.wait(30)))
        await asyncio.sleep(0)
        late = asyncio.ensure_future(narrow.write_batched(_explode, 1))
        await outlast(gate)
        await first
        with pytest.raises(errors.Overloaded):
            await late

    scratch.run(scenario)


def _explode(session: Session, numbers: Sequence[int]) -> list[int]:
    raise AssertionError("it was begun")
