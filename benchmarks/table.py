"""All cells, in the order of a round."""

from typing import Final, Protocol

from benchmarks import systems
from benchmarks.cells import Bench, HttpCell, Measured, closed
from benchmarks.databases import POSTGRESQL, SQLITE

DATABASES: Final = (SQLITE, POSTGRESQL)


class Cell(Protocol):
    """Something that is measured once a round, by itself."""

    @property
    def name(self) -> str: ...

    @property
    def database(self) -> str: ...

    @property
    def needs(self) -> tuple[str, ...]:
        """Cells that must be measured before, or that the result is compared with."""

    def measure(self, bench: Bench) -> Measured: ...


def cells() -> list[Cell]:
    """Every cell."""
    found: list[Cell] = [
        HttpCell(
            "no-database-post",
            SQLITE,
            systems.CEILING,
            closed(lambda made: made.transfers(path="/v1/nothing")),
        ),
    ]
    found += [
        HttpCell(
            "transfer-uniform",
            database,
            systems.SERVICE,
            closed(lambda made: made.transfers()),
            needs=("no-database-post",),
        )
        for database in DATABASES
    ]
    return found


def chosen(words: list[str]) -> list[Cell]:
    """The cells of these names (`transfer-uniform` or `transfer-uniform:sqlite`) and what they need."""
    known = cells()
    wanted = {cell.name for cell in known for word in words if word in _names(cell)}
    for word in words:
        if not any(word in _names(cell) for cell in known):
            raise KeyError(word)
    needed = {need for cell in known if cell.name in wanted for need in cell.needs}
    return [cell for cell in known if not words or cell.name in needed or not _names(cell).isdisjoint(words)]


def _names(cell: Cell) -> set[str]:
    return {cell.name, f"{cell.name}:{cell.database}"}
