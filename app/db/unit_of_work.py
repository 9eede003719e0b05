"""The unit of work: every begin, commit, rollback and retry of the service.

A unit of work is a plain function `work(session, ...)`. It runs on a database thread, inside one
transaction, and its effect is on the disk when the awaited call returns: an answer is only ever sent
after the commit. It has no side effects outside its session, so it can be run again.

What it does decides what happens:

    returns a value            commit, and the caller gets the value
    returns a BankingError     commit (a trace of the refusal), then the error is raised
    raises                     rollback, and the error is raised
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, cast

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.core import clock, errors
from app.core.config import Settings
from app.db import faults
from app.db.lane import Lane
from app.db.session import open_engines
from app.db.threads import Threads

P = ParamSpec("P")
T = TypeVar("T")
Command = TypeVar("Command")
Outcome = TypeVar("Outcome")

_log = logging.getLogger(__name__)

_TRIES: Final = 5
_LONGEST_PAUSE: Final = 0.05
# Reads that may wait for a thread, a thread.
_READS_WAITING: Final = 250
# Seconds that work may wait for its turn. With the longest wait for a lock after that, a client is
# answered in time even when every write before its own has to give up.
_LONGEST_WAIT: Final = 5.0
# Seconds that a unit of work may take beyond the waits for its turn and for a lock. A database that
# has frozen keeps its connections and says nothing, so nobody else would ever end the wait.
_LONGEST_WORK: Final = 2.0


class Database:
    """One database: `read`, `write` and `write_batched` run units of work on it.

    `run_read` and `run_write` do the same in the calling thread, for commands.

    Each of the three raises DatabaseUnavailable when there is no outcome after the longest waits for a
    turn and for a lock and two seconds more. What had not begun is dropped then; a write that had
    begun may be committed yet, and its caller's retry with the same key finds out.
    """

    def __init__(self, settings: Settings, *, beside_service: bool = False) -> None:
        """`beside_service` is for commands, beside which a service may run: see `open_engines`."""
        self.engines = open_engines(settings, for_service=not beside_service)
        self._writers = Threads("write", self.engines.writers, settings.write_queue, self.engines.when_idle)
        self._readers = Threads("read", settings.read_workers, settings.read_workers * _READS_WAITING)
        self._lanes: dict[Callable[..., Any], Lane[Any, Any]] = {}
        self._lane_limit = settings.write_queue
        self._lock_seconds = settings.lock_timeout_seconds

    async def read(self, work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs `work` on one snapshot; its session cannot write."""
        return await self._in_time(self._readers.run(_in_turn(lambda: self.run_read(work, *args, **kwargs))))

    async def write(
        self,
        work: Callable[Concatenate[Session, P], T | errors.BankingError],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Runs `work` and commits before it returns. See the module for what raising means."""
        return await self._in_time(self._writers.run(_in_turn(lambda: self.run_write(work, *args, **kwargs))))

    async def write_batched(
        self,
        post: Callable[[Session, Sequence[Command]], Sequence[Outcome | errors.BankingError]],
        command: Command,
        weight: int = 1,
    ) -> Outcome:
        """Runs `post` over this command and whatever else arrives while the last batch commits.

        One batch is one transaction. `post` returns one outcome for each command, in order; an outcome
        that is a BankingError is raised to its own caller and leaves the others alone. `weight` is for
        a command that stands for many: a batch has an end.
        """
        return await self._through_lane(self._writers, self.run_write, post, command, weight)

    async def read_batched(
        self,
        find: Callable[[Session, Sequence[Command]], Sequence[Outcome | errors.BankingError]],
        request: Command,
    ) -> Outcome:
        """Runs `find` over this request and whatever else arrives while the last batch is read.

        As `write_batched`, on one snapshot that cannot be written to: a batch costs one change of
        threads, and as many statements as one request alone.
        """
        return await self._through_lane(self._readers, self.run_read, find, request, 1)

    async def produce(self, pieces: Iterator[T]) -> AsyncIterator[T]:
        """What an iterator makes with `run_read`, each step on a reading thread of its own turn.

        Between two steps nothing is held: no thread, no connection, no snapshot. A step that fails ends
        it, and whoever is told of the pieces must not take them for the whole.
        """
        end = object()
        while (piece := await self._in_time(self._readers.run(lambda: next(pieces, end)))) is not end:
            yield cast(T, piece)

    async def _through_lane(
        self,
        threads: Threads,
        run: Callable[..., Sequence[Outcome | errors.BankingError]],
        work: Callable[[Session, Sequence[Command]], Sequence[Outcome | errors.BankingError]],
        command: Command,
        weight: int,
    ) -> Outcome:
        lane = self._lanes.get(work)
        if lane is None:
            # The batch is bounded in time, and with it whoever waits behind it.
            lane = Lane(lambda batch: self._in_time(threads.run(lambda: _in_turns(run, work, batch))))
            self._lanes[work] = lane
        if lane.waiting >= self._lane_limit:
            raise errors.Overloaded()
        outcome: Outcome | errors.BankingError = await lane.submit((command, clock.monotonic()), weight)
        return _value(outcome)

    async def _in_time(self, outcome: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(_LONGEST_WAIT + self._lock_seconds + _LONGEST_WORK):
                return await outcome
        except TimeoutError:
            _log.warning("the database did not answer in time")
            raise errors.DatabaseUnavailable() from None

    def run_batch(
        self,
        post: Callable[[Session, Sequence[Command]], Sequence[Outcome | errors.BankingError]],
        commands: Sequence[Command],
    ) -> Sequence[Outcome | errors.BankingError]:
        """`write_batched` in the calling thread, with all of the batch at hand."""
        return _run_batch(self.run_write, post, commands)

    def run_read(self, work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`read` in the calling thread."""
        return _attempt(self.engines.reader, lambda session: work(session, *args, **kwargs))

    def run_write(
        self,
        work: Callable[Concatenate[Session, P], T | errors.BankingError],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """`write` in the calling thread."""
        return _value(_attempt(self.engines.writer, lambda session: work(session, *args, **kwargs)))

    def close(self, patience: float = 1.0) -> None:
        """Finishes what runs, within `patience` seconds, then closes every connection."""
        finished = [self._writers.close(patience), self._readers.close(patience)]
        if not all(finished):
            _log.warning("database work was still running at the end of the grace; it rolls back")
        self.engines.dispose()


def _in_turn(work: Callable[[], T]) -> Callable[[], T]:
    """`work`, which is not begun when its turn comes too late."""
    arrived = clock.monotonic()

    def begin() -> T:
        if _is_late(arrived):
            raise errors.Overloaded()
        return work()

    return begin


def _in_turns(
    run: Callable[..., Sequence[Outcome | errors.BankingError]],
    work: Callable[[Session, Sequence[Command]], Sequence[Outcome | errors.BankingError]],
    batch: Sequence[tuple[Command, float]],
) -> Sequence[Outcome | errors.BankingError]:
    """A batch of (command, when it arrived), without those that have waited too long."""
    late = [_is_late(arrived) for _, arrived in batch]
    in_time = [command for (command, _), is_late in zip(batch, late, strict=True) if not is_late]
    done = iter(_run_batch(run, work, in_time) if in_time else ())
    return [errors.Overloaded() if is_late else next(done) for is_late in late]


def _run_batch(
    run: Callable[..., Sequence[Outcome | errors.BankingError]],
    work: Callable[[Session, Sequence[Command]], Sequence[Outcome | errors.BankingError]],
    commands: Sequence[Command],
) -> Sequence[Outcome | errors.BankingError]:
    """One batch in one transaction.

    An unexpected error rolls the whole batch back; then each command runs alone, once, so that one
    that cannot be done does not take its neighbours with it.
    """
    try:
        return run(_all_of(work), commands)
    except errors.Unavailable as unavailable:
        return [unavailable] * len(commands)
    except Exception:
        _log.exception("a batch of %d failed; its commands run alone", len(commands))
    return [_run_alone(run, work, command) for command in commands]


def _run_alone(
    run: Callable[..., Sequence[Outcome | errors.BankingError]],
    work: Callable[[Session, Sequence[Command]], Sequence[Outcome | errors.BankingError]],
    command: Command,
) -> Outcome | errors.BankingError:
    try:
        return run(_all_of(work), [command])[0]
    except errors.BankingError as error:
        return error
    except Exception:
        _log.exception("a command failed alone")
        return errors.InternalError()


def _is_late(arrived: float) -> bool:
    return clock.monotonic() - arrived > _LONGEST_WAIT


def _all_of(
    post: Callable[[Session, Sequence[Command]], Sequence[Outcome]],
) -> Callable[[Session, Sequence[Command]], Sequence[Outcome]]:
    """`post`, which must answer every command: no effect is committed that its caller cannot be told."""

    def post_all(session: Session, commands: Sequence[Command]) -> Sequence[Outcome]:
        outcomes = post(session, commands)
        if len(outcomes) != len(commands):
            raise RuntimeError(f"{len(outcomes)} outcomes for {len(commands)} commands")
        return outcomes

    return post_all


def _attempt(engine: Engine, work: Callable[[Session], T]) -> T:
    """Runs a unit of work, again where the database asks for it, and names what it cannot mend."""
    for attempt in range(1, _TRIES + 1):
        try:
            return _once(engine, work)
        except _CommitUnknown as error:
            # The effect may be there. Running again could do it twice; the client's retry with the
            # same key finds out.
            raise errors.DatabaseUnavailable() from error
        except errors.BankingError:
            raise
        except Exception as error:
            again = faults.is_retryable(error) or faults.is_disconnect(error)
            if again and attempt < _TRIES:
                time.sleep(random.uniform(0, _LONGEST_PAUSE) * attempt)  # noqa: S311 - jitter
                continue
            unavailable = faults.as_unavailable(error)
            if unavailable is None:
                raise
            _log.warning("the database refused: %s", type(error).__name__, exc_info=error)
            raise unavailable from error
    raise AssertionError("unreachable")


class _CommitUnknown(Exception):
    """The connection was lost at COMMIT: done or not, the database alone knows."""


def _once(engine: Engine, work: Callable[[Session], T]) -> T:
    with Session(engine, expire_on_commit=False, autoflush=False) as session:
        # Leaving the block without a commit rolls back.
        result = work(session)
        session.flush()
        try:
            session.commit()
        except Exception as error:
            if faults.is_disconnect(error):
                raise _CommitUnknown from error
            raise
        return result


def _value(outcome: T | errors.BankingError) -> T:
    if isinstance(outcome, errors.BankingError):
        raise outcome
    return outcome
