"""Fills a database with transfers through the service itself, so that every row is a valid one."""

import itertools
from typing import Final

from benchmarks import load
from benchmarks.load import Stream
from benchmarks.workloads import Workloads
from benchmarks.world import World

_ITEMS: Final = 1000
_BULKS: Final = 4
_CLIENTS: Final = 64
_PATIENCE: Final = 24 * 3600.0
_SEED: Final = 7


def fill(port: int, world: World, transfers: int) -> None:
    """Makes this many uniform transfers: in bulk where the service takes that, else one by one."""
    made = Workloads(world, _SEED)
    first = next(made.bulk(_ITEMS))
    if not load.is_missing(port, first):
        rest = itertools.islice(made.bulk(_ITEMS), max(0, transfers // _ITEMS - 1))
        _send(port, Stream(rest, _BULKS))
    else:
        _send(port, Stream(itertools.islice(made.transfers(), transfers), _CLIENTS))


def _send(port: int, stream: Stream) -> None:
    outcome = load.run(port, [stream], _PATIENCE)
    if outcome.unexpected:
        raise RuntimeError(f"filling the database: {dict(outcome.unexpected)}")
