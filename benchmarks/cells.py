"""One measurement: a fresh copy of the database, a fresh server, a load, and then `bank verify`."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from benchmarks import load, systems
from benchmarks.databases import Databases
from benchmarks.figures import percentile
from benchmarks.load import Outcome, Request, Stream
from benchmarks.workloads import Workloads

CLIENTS: Final = 64
# More than anything here answers, so that no request is made while it is measured.
_MADE_A_SECOND: Final = 12_000

# What a round came to: numbers by name, or a `note` why there are none, or an `error`.
Measured = dict[str, Any]


class CellFailed(Exception):
    """What was measured is not what was meant: an answer was wrong, or none came."""


class CellId(NamedTuple):
    """What is measured, and on which database; "" where there is none."""

    name: str
    database: str


@dataclass
class Bench:
    """What the cells of a run share."""

    databases: Databases
    seconds: float
    warm_up: float
    seed: int = 0
    # The latest rate of a cell: half of it is a load that others are measured at.
    rates: dict[CellId, float] = field(default_factory=dict)

    def workloads(self, database: str) -> Workloads:
        self.seed += 1
        return Workloads(self.databases.world(database), self.seed)

    def ready(self, requests: Iterator[Request], each_second: int = _MADE_A_SECOND) -> Iterator[Request]:
        """The same requests, as many as will be needed made now."""
        count = round(each_second * (self.seconds + self.warm_up))
        return itertools.chain(list(itertools.islice(requests, count)), requests)


# Takes the bench, the workloads and the database.
Streams = Callable[[Bench, Workloads, str], Sequence[Stream]]


@dataclass(frozen=True)
class HttpCell:
    """A load on a server. `kinds` are the requests that count (all, when empty), `items` a request.

    `grown`: on a database that has so many transfers already, and is not thrown away. `probe`: a request
    that is asked first, since the service may not know it.
    """

    id: CellId
    server: Sequence[str]
    streams: Streams
    kinds: tuple[str, ...] = ()
    items: int = 1
    needs: tuple[CellId, ...] = ()
    grown: int = 0
    probe: Callable[[Workloads], Request] | None = None

    def measure(self, bench: Bench) -> Measured:
        databases, database = bench.databases, self.id.database
        grown = self.grown
        with databases.grown(database, grown) if grown else databases.copy(database) as url:
            with systems.serving(self.server, url, databases.folder) as port:
                workloads = bench.workloads(database)
                if self.probe is not None and load.is_missing(port, self.probe(workloads)):
                    return {"note": "there is no such endpoint"}
                streams = self.streams(bench, workloads, database)
                outcome = load.run(port, streams, bench.seconds, bench.warm_up)
            systems.bank("verify", url, databases.folder)
        return judge(outcome, self.kinds, self.items)


def judge(outcome: Outcome, kinds: Sequence[str] = (), items: int = 1) -> Measured:
    """The figures of a load; CellFailed when an answer was not the one that was meant."""
    if outcome.unexpected:
        raise CellFailed(f"unexpected: {dict(outcome.unexpected)}")
    counted = kinds or tuple(outcome.latencies)
    latencies = [value for kind in counted for value in outcome.latencies.get(kind, ())]
    if not latencies:
        raise CellFailed("nothing was answered in time")
    return {
        "rate": len(latencies) * items / outcome.seconds,
        "p50_ms": percentile(latencies, 50) * 1000,
        "p99_ms": percentile(latencies, 99) * 1000,
        "max_ms": max(latencies) * 1000,
        "late": outcome.late,
        "dropped": outcome.dropped,
        "answers": dict(sorted(outcome.answers.items())),
    }


def closed(
    supply: Callable[[Workloads], Iterator[Request]],
    clients: int = CLIENTS,
    each_second: int = _MADE_A_SECOND,
) -> Streams:
    """So many clients, each with its next request as soon as the last is answered."""
    return lambda bench, workloads, _: [Stream(bench.ready(supply(workloads), each_second), clients)]
