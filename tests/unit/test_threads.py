"""Threads: how much may wait, and how they end."""

import asyncio
import threading

import pytest

from app.core import errors
from app.db.threads import Threads


def test_closing_finishes_what_waits() -> None:
    done: list[int] = []

    async def scenario() -> None:
        threads = Threads("test", 1, 10)
        gate = threading.Event()
        first = asyncio.ensure_future(threads.run(lambda: gate.wait(30)))
        second = asyncio.ensure_future(threads.run(lambda: done.append(2)))
        await asyncio.sleep(0)
        gate.set()
        assert threads.close(30)
        await asyncio.gather(first, second)

    asyncio.run(scenario())
    assert done == [2]


def test_closing_gives_up_after_its_patience() -> None:
    gate = threading.Event()

    async def scenario() -> None:
        threads = Threads("test", 1, 10)
        running = asyncio.ensure_future(threads.run(lambda: gate.wait(30)))
        await asyncio.sleep(0)
        assert not threads.close(0.01)
        gate.set()
        assert await running

    asyncio.run(scenario())


def test_closing_what_never_began_is_quick_and_final() -> None:
    threads = Threads("test", 4, 10)
    assert threads.close(0)
    with pytest.raises(errors.NotReady):
        asyncio.run(threads.run(lambda: 1))


def test_work_whose_caller_has_gone_does_not_begin() -> None:
    done: list[int] = []

    async def scenario() -> None:
        threads = Threads("test", 1, 2)
        gate = threading.Event()
        first = asyncio.ensure_future(threads.run(lambda: gate.wait(30)))
        gone = asyncio.ensure_future(threads.run(lambda: done.append(1)))
        await asyncio.sleep(0)
        with pytest.raises(errors.Overloaded):
            await threads.run(lambda: None)
        gone.cancel()
        await asyncio.sleep(0)
        last = asyncio.ensure_future(threads.run(lambda: done.append(2)))
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(first, last)
        assert threads.close(30)

    asyncio.run(scenario())
    assert done == [2]


@pytest.mark.parametrize("error", [ValueError(), SystemExit(3), errors.EmailTaken()])
def test_whatever_the_work_raises_reaches_the_caller_and_spares_the_thread(error: BaseException) -> None:
    async def scenario() -> None:
        threads = Threads("test", 1, 10)

        def fail() -> None:
            raise error

        with pytest.raises(type(error)):
            await threads.run(fail)
        assert await threads.run(lambda: "next") == "next"
        assert threads.close(30)

    asyncio.run(scenario())


def test_work_that_outlives_its_loop_does_not_disturb() -> None:
    gate = threading.Event()
    threads = Threads("test", 1, 10)

    async def begin() -> None:
        waiting = asyncio.ensure_future(threads.run(lambda: gate.wait(30)))
        await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(begin())
    gate.set()
    assert threads.close(30)
