"""The collector alone: who is handed over when, and who is told what."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from app.core import errors
from app.db.lane import LARGEST_BATCH, Lane


class Recorder:
    """Takes batches; each lasts until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.running = 0
        self.gate = asyncio.Event()

    async def __call__(self, batch: Sequence[int]) -> list[int]:
        self.running += 1
        assert self.running == 1, "two batches at a time"
        self.batches.append(list(batch))
        await self.gate.wait()
        self.running -= 1
        return [number * 10 for number in batch]


def submit_all(lane: Lane[int, Any], numbers: Sequence[int]) -> list["asyncio.Future[Any]"]:
    return [lane.submit(number) for number in numbers]


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_an_idle_lane_hands_over_the_whole_turn_of_the_loop() -> None:
    async def scenario() -> None:
        recorder = Recorder()
        recorder.gate.set()
        tasks = submit_all(Lane(recorder), [3, 1, 2])
        assert await asyncio.gather(*tasks) == [30, 10, 20]
        assert recorder.batches == [[3, 1, 2]]

    asyncio.run(scenario())


def test_batches_gather_while_one_runs_and_keep_the_order_of_arrival() -> None:
    async def scenario() -> None:
        recorder = Recorder()
        lane: Lane[int, int] = Lane(recorder)
        tasks = submit_all(lane, [1])
        await settle()
        for number in (2, 3, 4):
            tasks += submit_all(lane, [number])
            await settle()
        assert lane.waiting == 3
        recorder.gate.set()
        assert await asyncio.gather(*tasks) == [10, 20, 30, 40]
        assert recorder.batches == [[1], [2, 3, 4]]
        assert lane.waiting == 0

    asyncio.run(scenario())


def test_a_batch_has_an_end() -> None:
    async def scenario() -> None:
        recorder = Recorder()
        recorder.gate.set()
        numbers = list(range(2 * LARGEST_BATCH + 1))
        assert await asyncio.gather(*submit_all(Lane(recorder), numbers)) == [n * 10 for n in numbers]
        assert [len(batch) for batch in recorder.batches] == [LARGEST_BATCH, LARGEST_BATCH, 1]
        assert [number for batch in recorder.batches for number in batch] == numbers

    asyncio.run(scenario())


def test_who_hangs_up_before_the_hand_over_takes_the_command_along() -> None:
    async def scenario() -> None:
        recorder = Recorder()
        lane: Lane[int, int] = Lane(recorder)
        [begun] = submit_all(lane, [1])
        await settle()
        gone, after = submit_all(lane, [2, 3])
        await settle()
        begun.cancel()
        gone.cancel()
        recorder.gate.set()
        assert await after == 30
        assert recorder.batches == [[1], [3]]

    asyncio.run(scenario())


@pytest.mark.parametrize("outcomes", [[], [1], [1, 2, 3]])
def test_nobody_waits_for_ever_when_outcomes_are_missing(outcomes: list[int]) -> None:
    async def run(batch: Sequence[int]) -> list[int]:
        return outcomes

    async def scenario() -> None:
        tasks = submit_all(Lane(run), [1, 2])
        found = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
        assert [type(one) for one in found] == [ValueError, ValueError]

    asyncio.run(scenario())


def test_a_failed_batch_tells_its_own_callers_and_the_next_one_runs() -> None:
    async def run(batch: Sequence[int]) -> list[int]:
        if 1 in batch:
            raise OSError("no")
        return list(batch)

    async def scenario() -> None:
        lane: Lane[int, int] = Lane(run)
        first = await asyncio.gather(*submit_all(lane, [1, 2]), return_exceptions=True)
        assert [type(one) for one in first] == [OSError, OSError]
        assert await lane.submit(3) == 3

    asyncio.run(scenario())


def test_when_the_database_is_unavailable_those_who_wait_hear_it_at_once() -> None:
    gate = asyncio.Event()

    async def run(batch: Sequence[int]) -> list[int]:
        if not gate.is_set():
            await gate.wait()
            raise errors.DatabaseUnavailable()
        return list(batch)

    async def scenario() -> None:
        lane: Lane[int, int] = Lane(run)
        tasks = submit_all(lane, [1])
        await settle()
        tasks += submit_all(lane, [2, 3])
        gate.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(one) for one in found] == [errors.DatabaseUnavailable] * 3
        assert await lane.submit(4) == 4

    asyncio.run(scenario())
