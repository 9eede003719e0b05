"""`write_batched`: many commands, one commit, one outcome each; on both databases."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.core import errors
from app.core.config import Settings
from app.db.unit_of_work import Database
from tests import scratch


@pytest.fixture(autouse=True)
def _table(db: Database) -> None:
    scratch.create(db)


def outcomes(db: Database, *numbers: int, post: Any = scratch.post) -> list[Any]:
    """All at once, so that they make one batch."""

    def together() -> Awaitable[list[Any]]:
        calls = (db.write_batched(post, number) for number in numbers)
        return asyncio.gather(*calls, return_exceptions=True)

    return scratch.run(together)


def shape(found: Sequence[Any]) -> list[Any]:
    return [type(one) if isinstance(one, Exception) else one for one in found]


def test_commands_that_arrive_together_share_a_commit(db: Database) -> None:
    assert outcomes(db, 3, 1, 2) == [3, 1, 2]
    assert db.run_read(scratch.count, 1) == 3


def test_a_refusal_leaves_its_neighbours_alone(db: Database) -> None:
    assert shape(outcomes(db, 1, -1, 2)) == [1, errors.EmailTaken, 2]
    assert scratch.notes(db) == [1, 2]


def test_one_at_a_time_has_the_outcomes_of_all_at_once(db: Database) -> None:
    alone = [outcomes(db, number)[0] for number in (1, -1, 2)]
    assert shape(alone) == [1, errors.EmailTaken, 2]
    assert scratch.notes(db) == [1, 2]


def test_an_unexpected_error_takes_only_its_own_command(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    assert shape(outcomes(db, 1, 13, -1, 2)) == [1, errors.InternalError, errors.EmailTaken, 2]
    assert scratch.notes(db) == [1, 2]
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2


def test_after_an_unexpected_error_each_command_runs_alone_once(db: Database) -> None:
    batches: list[list[int]] = []

    def post(session: Session, numbers: Sequence[int]) -> list[int | errors.EmailTaken]:
        batches.append(list(numbers))
        return scratch.post(session, numbers)

    outcomes(db, 1, 13, 2, post=post)
    assert batches == [[1, 13, 2], [1], [13], [2]]


def test_a_commit_that_fails_for_one_is_repeated_for_the_others(db: Database) -> None:
    def post(session: Session, numbers: Sequence[int]) -> list[int]:
        if 5 in numbers:
            scratch.add_orphan(session)
        return [scratch.add(session, number) for number in numbers]

    assert shape(outcomes(db, 4, 5, 6, post=post)) == [4, errors.InternalError, 6]
    assert scratch.notes(db) == [4, 6]


@pytest.mark.parametrize("missing", [1, -1])
def test_no_effect_is_committed_without_an_outcome_for_each(db: Database, missing: int) -> None:
    def post(session: Session, numbers: Sequence[int]) -> list[int]:
        done = scratch.post(session, numbers)
        return done[:-1] if missing > 0 else [*done, 0]

    assert shape(outcomes(db, 1, 2, post=post)) == [errors.InternalError] * 2
    assert scratch.notes(db) == []


def test_the_database_being_away_is_told_to_everyone_in_the_batch(settings: Settings) -> None:
    database = Database(settings.model_copy(update={"lock_timeout_seconds": 0.1}))
    scratch.create(database)
    with scratch.other_writer(settings):
        found = outcomes(database, 1, 2)
    assert shape(found) == [errors.LockTimeout] * 2
    assert scratch.notes(database) == []
    assert outcomes(database, 3) == [3]
    database.close()


def hold(entered: threading.Event, gate: threading.Event) -> Callable[[Session, Sequence[int]], list[int]]:
    """Posts like `scratch.post`, but the first batch waits inside its transaction."""

    def post(session: Session, numbers: Sequence[int]) -> Any:
        if not entered.is_set():
            entered.set()
            gate.wait(30)
        return scratch.post(session, numbers)

    return post


async def until(event: threading.Event) -> None:
    await asyncio.get_running_loop().run_in_executor(None, event.wait, 30)


def test_what_arrives_during_a_commit_makes_the_next_batch(db: Database) -> None:
    entered, gate = threading.Event(), threading.Event()
    post = hold(entered, gate)

    async def scenario() -> None:
        first = asyncio.ensure_future(db.write_batched(post, 1))
        await until(entered)
        rest = [asyncio.ensure_future(db.write_batched(post, number)) for number in (2, 3, 4)]
        await asyncio.sleep(0)
        gate.set()
        assert await asyncio.gather(first, *rest) == [1, 2, 3, 4]

    scratch.run(scenario)
    assert [db.run_read(scratch.count, number) for number in (1, 2, 3, 4)] == [1, 3, 3, 3]


def test_hanging_up_does_not_undo_what_has_been_handed_over(db: Database) -> None:
    entered, gate = threading.Event(), threading.Event()
    post = hold(entered, gate)

    async def scenario() -> None:
        begun = asyncio.ensure_future(db.write_batched(post, 1))
        await until(entered)
        waiting = asyncio.ensure_future(db.write_batched(post, 2))
        after = asyncio.ensure_future(db.write_batched(post, 3))
        await asyncio.sleep(0)
        begun.cancel()
        waiting.cancel()
        gate.set()
        assert await after == 3

    scratch.run(scenario)
    assert scratch.notes(db) == [1, 3]


def test_a_full_lane_is_overloaded(settings: Settings) -> None:
    database = Database(settings.model_copy(update={"write_queue": 2}))
    entered, gate = threading.Event(), threading.Event()
    post = hold(entered, gate)

    async def scenario() -> None:
        held = [asyncio.ensure_future(database.write_batched(post, 1))]
        await until(entered)
        held += [asyncio.ensure_future(database.write_batched(post, number)) for number in (2, 3)]
        await asyncio.sleep(0)
        with pytest.raises(errors.Overloaded):
            await database.write_batched(post, 4)
        gate.set()
        assert await asyncio.gather(*held) == [1, 2, 3]

    scratch.run(scenario)
    assert scratch.notes(database) == [1, 2, 3]
    database.close()
