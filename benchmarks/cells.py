"""One measurement: a fresh copy of the database, a fresh server, a load, and then `bank verify`."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks import load, systems
from benchmarks.databases import Databases
from benchmarks.figures import percentile
from benchmarks.load import Outcome, Request, Stream
from benchmarks.workloads import Workloads

CLIENTS: Final = 64
# More than anything here answers, so that no request is made while it is measured.
_MADE_A_SECOND: Final = 12_000
_MISSING: Final = {"404", "405"}

# What a round came to: numbers by name, or a `note` why there are none, or an `error`.
Measured = dict[str, Any]


class CellFailed(Exception):
    """What was measured is not what was meant: an answer was wrong, or none came."""


@dataclass
class Bench:
    """What the cells of a run share."""

    databases: Databases
    seconds: float
    warm_up: float
    seed: int
    # The latest rate of a cell, by (name, database): half of it is a load that others are measured at.
    rates: dict[tuple[str, str], float] = field(default_factory=dict)

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
    """A load on a server. `kinds` are the requests that count (all, when empty), `items` a request."""

    name: str
    database: str
    server: Sequence[str]
    streams: Streams
    kinds: tuple[str, ...] = ()
    items: int = 1
    needs: tuple[str, ...] = ()

    def measure(self, bench: Bench) -> Measured:
        folder = bench.databases.folder
        with bench.databases.copy(self.database) as url:
            with systems.serving(self.server, url, folder) as port:
                streams = self.streams(bench, bench.workloads(self.database), self.database)
                outcome = load.run(port, streams, bench.seconds, bench.warm_up)
            systems.bank("verify", url, folder)
        return self._judge(outcome)

    def _judge(self, outcome: Outcome) -> Measured:
        if {answer.rpartition(" ")[2] for answer in outcome.answers} <= _MISSING:
            return {"note": "there is no such endpoint"}
        if outcome.unexpected:
            raise CellFailed(f"unexpected: {dict(outcome.unexpected)}")
        kinds = self.kinds or tuple(outcome.latencies)
        latencies = [value for kind in kinds for value in outcome.latencies.get(kind, ())]
        if not latencies:
            raise CellFailed("nothing was answered in time")
        return {
            "rate": len(latencies) * self.items / outcome.seconds,
            **{
                name: percentile(latencies, percent) * 1000
                for name, percent in (("p50_ms", 50), ("p99_ms", 99), ("max_ms", 100))
            },
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
