"""All cells, in the order of a round."""

from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from benchmarks import systems
from benchmarks.bare import GeneratorCell, PgbenchCell, RawCell
from benchmarks.cells import CLIENTS, Bench, CellFailed, CellId, HttpCell, Measured, Streams, closed
from benchmarks.databases import POSTGRESQL, SQLITE
from benchmarks.load import Request, Stream
from benchmarks.statements import statement_cells
from benchmarks.workloads import Workloads
from benchmarks.world import PASSWORD

DATABASES: Final = (SQLITE, POSTGRESQL)
NOTHING_POSTED: Final = CellId("no-database-post", SQLITE)
NOTHING_READ: Final = CellId("no-database-get", SQLITE)
_BULK_ITEMS: Final = 1000
_BULK_CLIENTS: Final = 4
_BULKS_A_SECOND: Final = 40
# At saturation there are always some under way; a login takes many milliseconds.
_LOGIN_CLIENTS: Final = 32


class Cell(Protocol):
    """Something that is measured once a round, by itself."""

    @property
    def id(self) -> CellId: ...

    @property
    def needs(self) -> tuple[CellId, ...]:
        """Cells that must be measured before, or that the result is compared with."""

    def measure(self, bench: Bench) -> Measured: ...


# The closed loop, with 64 clients.
_TRANSFERS: Final[dict[str, Callable[[Workloads], Iterator[Request]]]] = {
    "transfer-uniform": lambda made: made.transfers(),
    "transfer-zipf": lambda made: made.transfers("zipf"),
    "transfer-hot-source": lambda made: made.transfers("hot source"),
    "transfer-hot-destination": lambda made: made.transfers("hot destination"),
    "transfer-refusals": lambda made: made.refusals(0.2),
    "transfer-replays": lambda made: made.replays(0.1),
    "authorize": lambda made: made.authorizations(),
}


def cells(grown: int = 0) -> list[Cell]:
    """Every cell; with `grown`, also transfers in databases that have as many already."""
    return [
        GeneratorCell(),
        *_ceiling(),
        *(cell for database in DATABASES for cell in _service(database, grown)),
        *(cell for database in DATABASES for cell in statement_cells(database)),
        RawCell(1),
        RawCell(64),
        PgbenchCell("uniform", source="random(1, {accounts})"),
        PgbenchCell("hot-source", source="1"),
    ]


def _ceiling() -> Iterator[Cell]:
    post = closed(lambda made: made.transfers(path="/v1/nothing"))
    get = closed(lambda made: made.balances("/v1/nothing/{}/balance"))
    yield HttpCell(NOTHING_POSTED, systems.CEILING, post)
    yield HttpCell(NOTHING_READ, systems.CEILING, get)


def _service(database: str, grown: int) -> Iterator[Cell]:
    uniform = CellId("transfer-uniform", database)

    def cell(name: str, streams: Streams, *needs: CellId, **options: Any) -> Cell:
        return HttpCell(CellId(name, database), systems.SERVICE, streams, needs=needs, **options)

    for name, supply in _TRANSFERS.items():
        yield cell(name, closed(supply), NOTHING_POSTED if name == uniform.name else uniform)
    yield cell("transfer-one-client", closed(_TRANSFERS[uniform.name], clients=1))
    yield cell("transfer-half-load", _half_load, uniform)
    for rate in (5, 20):
        yield cell(f"login-flood-{rate}", _flood(rate), uniform, kinds=("transfer",))
    yield cell("balance", closed(lambda made: made.balances()), NOTHING_READ)
    yield cell("page", closed(lambda made: made.pages()))
    yield cell("mix", closed(lambda made: made.mix()))
    bulk = closed(lambda made: made.bulk(_BULK_ITEMS), _BULK_CLIENTS, _BULKS_A_SECOND)
    yield cell("bulk", bulk, items=_BULK_ITEMS, probe=lambda made: next(made.bulk(1)))
    if grown:
        yield cell("transfer-grown", closed(_TRANSFERS[uniform.name]), uniform, grown=grown)
    orm = closed(lambda made: made.transfers(path="/transfers"))
    yield HttpCell(CellId("orm-transfer", database), systems.ORM, orm, needs=(uniform,))


def _half_load(bench: Bench, workloads: Workloads, database: str) -> list[Stream]:
    """Half of what was the most a moment ago, at a constant rate."""
    most = bench.rates.get(CellId("transfer-uniform", database))
    if most is None:
        raise CellFailed("without a rate there is no half of it")
    return [Stream(bench.ready(workloads.transfers()), CLIENTS, most / 2)]


def _flood(logins: int) -> Streams:
    def streams(bench: Bench, workloads: Workloads, _: str) -> list[Stream]:
        return [
            Stream(bench.ready(workloads.transfers()), CLIENTS),
            Stream(bench.ready(workloads.logins(PASSWORD), logins), _LOGIN_CLIENTS, logins),
        ]

    return streams


def chosen(words: list[str], grown: int = 0) -> list[Cell]:
    """The cells of these names (`balance`, or `balance:sqlite`) and what they need; all, without words.

    Raises KeyError for a word that is no cell's name.
    """
    known = cells(grown)
    for word in words:
        if not any(word in _names(cell) for cell in known):
            raise KeyError(word)
    named = [cell for cell in known if not words or not _names(cell).isdisjoint(words)]
    kept = {key for cell in named for key in (cell.id, *cell.needs)}
    return [cell for cell in known if cell.id in kept]


def _names(cell: Cell) -> set[str]:
    return {cell.id.name, f"{cell.id.name}:{cell.id.database}"}
