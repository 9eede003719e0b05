"""The collector behind the batched ways of `Database`: what arrives together goes together."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from app.core import errors

Command = TypeVar("Command")
Outcome = TypeVar("Outcome")

LARGEST_BATCH: Final = 256

# A command, who waits for its outcome, and its weight.
_Entry = tuple[Command, "asyncio.Future[Outcome]", int]


class Lane(Generic[Command, Outcome]):
    """Hands commands over in batches, one batch at a time, in the order of their arrival.

    While a batch commits, the next one gathers; an idle lane hands over at the end of this turn of
    the event loop, so there is no timer and no added wait. A caller that hangs up takes its command
    out only as long as it has not been handed over.
    """

    def __init__(self, run: Callable[[Sequence[Command]], Awaitable[Sequence[Outcome]]]) -> None:
        self._run = run
        self._pending: deque[_Entry[Command, Outcome]] = deque()
        self._worker: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        return len(self._pending)

    def submit(self, command: Command, weight: int = 1) -> "asyncio.Future[Outcome]":
        """Puts a command into the next batch; its outcome is to come.

        `weight` is how much of a batch it takes, for a command that stands for many.
        """
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._pending.append((command, future, weight))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._drain())
        return future

    async def _drain(self) -> None:
        while self._pending:
            batch = self._next_batch()
            if batch:
                await self._hand_over(batch)

    def _next_batch(self) -> "list[_Entry[Command, Outcome]]":
        batch, room = [], LARGEST_BATCH
        while self._pending and room > 0:
            entry = self._pending.popleft()
            if not entry[1].done():
                batch.append(entry)
                room -= entry[2]
        return batch

    async def _hand_over(self, batch: "list[_Entry[Command, Outcome]]") -> None:
        try:
            outcomes = await self._run([command for command, _, _ in batch])
            pairs = list(zip(batch, outcomes, strict=True))
        except errors.Unavailable as error:
            # Those who wait would hear the same, only later: nobody else bounds their wait.
            _fail([*batch, *self._pending], error)
            self._pending.clear()
        except Exception as error:
            _fail(batch, error)
        else:
            for (_, future, _), outcome in pairs:
                if not future.done():
                    future.set_result(outcome)


def _fail(entries: "Sequence[_Entry[Command, Outcome]]", error: Exception) -> None:
    for _, future, _ in entries:
        if not future.done():
            future.set_exception(error)
