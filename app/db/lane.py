"""The collector behind the batched ways of `Database`: what arrives together goes together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from app.core import errors

Command = TypeVar("Command")
Outcome = TypeVar("Outcome")

LARGEST_BATCH: Final = 256


class Lane(Generic[Command, Outcome]):
    """Hands commands over in batches, one batch at a time, in the order of their arrival.

    While a batch commits, the next one gathers; an idle lane hands over at the end of this turn of
    the event loop, so there is no timer and no added wait. A caller that hangs up takes its command
    out only as long as it has not been handed over.
    """

    def __init__(self, run: Callable[[Sequence[Command]], Awaitable[Sequence[Outcome]]]) -> None:
        self._run = run
        self._pending: list[tuple[Command, asyncio.Future[Outcome]]] = []
        self._worker: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        return len(self._pending)

    def submit(self, command: Command) -> "asyncio.Future[Outcome]":
        """Puts a command into the next batch; its outcome is to come."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._pending.append((command, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._drain())
        return future

    async def _drain(self) -> None:
        while self._pending:
            batch = [entry for entry in self._pending[:LARGEST_BATCH] if not entry[1].done()]
            del self._pending[:LARGEST_BATCH]
            if batch:
                await self._hand_over(batch)

    async def _hand_over(self, batch: list[tuple[Command, "asyncio.Future[Outcome]"]]) -> None:
        try:
            outcomes = await self._run([command for command, _ in batch])
            pairs = list(zip(batch, outcomes, strict=True))
        except errors.Unavailable as error:
            # Those who wait would hear the same, only later: nobody else bounds their wait.
            _fail([*batch, *self._pending], error)
            self._pending.clear()
        except Exception as error:
            _fail(batch, error)
        else:
            for (_, future), outcome in pairs:
                if not future.done():
                    future.set_result(outcome)


def _fail(entries: Sequence[tuple[Command, "asyncio.Future[Outcome]"]], error: Exception) -> None:
    for _, future in entries:
        if not future.done():
            future.set_exception(error)
