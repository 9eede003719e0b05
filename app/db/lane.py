"""The collector behind `Database.write_batched`: commands that arrive together are posted together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

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

    async def submit(self, command: Command) -> Outcome:
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._pending.append((command, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        while self._pending:
            batch = [entry for entry in self._pending[:LARGEST_BATCH] if not entry[1].done()]
            del self._pending[:LARGEST_BATCH]
            if batch:
                await self._hand_over(batch)

    async def _hand_over(self, batch: list[tuple[Command, asyncio.Future[Outcome]]]) -> None:
        try:
            outcomes = await self._run([command for command, _ in batch])
            pairs = list(zip(batch, outcomes, strict=True))
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), outcome in pairs:
            if not future.done():
                future.set_result(outcome)
