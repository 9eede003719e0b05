"""Threads that run database work for an event loop."""

import asyncio
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Final, TypeVar

from app.core import clock, errors

T = TypeVar("T")

_IDLE_SECONDS: Final = 1.0

_Job = tuple[Callable[[], Any], "asyncio.Future[Any]", asyncio.AbstractEventLoop]


class Threads:
    """A fixed number of threads, and a bound on how much work may wait for them.

    They are daemons: work that outlives the grace of a shutdown must not keep the process alive. Its
    transaction is rolled back by the database, as in any crash.
    """

    def __init__(
        self, name: str, count: int, limit: int, when_idle: Callable[[], None] | None = None
    ) -> None:
        """`when_idle` is run by a thread that has had work, and then none for a second."""
        self._name: Final = name
        self._count: Final = count
        self._limit: Final = limit
        self._when_idle: Final = when_idle
        self._waiting = 0
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._closed = False

    async def run(self, work: Callable[[], T]) -> T:
        """Runs `work` on one of the threads.

        Raises Overloaded when too much waits already, NotReady when the threads have been closed.
        """
        if self._closed:
            raise errors.NotReady()
        if self._waiting >= self._limit:
            raise errors.Overloaded()
        if not self._threads:
            self._start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._waiting += 1
        self._jobs.put((work, future, loop))
        try:
            return await future
        finally:
            self._waiting -= 1

    def close(self, patience: float) -> bool:
        """Finishes what was begun; False when some of it took longer than `patience` seconds."""
        self._closed = True
        until = clock.monotonic() + patience
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(max(0.0, until - clock.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _start(self) -> None:
        self._threads = [
            Thread(target=self._work, name=f"{self._name}-{number}", daemon=True)
            for number in range(self._count)
        ]
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        while (job := self._next_job()) is not None:
            work, future, loop = job
            error: BaseException | None
            # A caller that has gone before its work began takes it along.
            if future.cancelled():
                continue
            try:
                result, error = work(), None
            except StopIteration as raised:
                # A future refuses this one, and its caller would wait for ever.
                result, error = None, RuntimeError("a stray StopIteration")
                error.__cause__ = raised
            except BaseException as raised:
                result, error = None, raised
            try:
                loop.call_soon_threadsafe(_settle, future, result, error)
            except RuntimeError:
                # The loop is closed: nobody waits any more.
                return

    def _next_job(self) -> _Job | None:
        if self._when_idle is not None:
            try:
                return self._jobs.get(timeout=_IDLE_SECONDS)
            except Empty:
                self._when_idle()
        return self._jobs.get()


def _settle(future: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
