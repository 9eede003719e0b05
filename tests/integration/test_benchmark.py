"""The benchmark itself, at its smallest: a few customers, one cell after the other, a moment each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import facts, table
from benchmarks.cells import Bench, CellId
from benchmarks.databases import SQLITE, Databases
from benchmarks.statements import StatementCell


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Databases(tmp_path_factory.mktemp("bench"), accounts=20) as databases:
        yield Bench(databases, seconds=1.0, warm_up=0.2)


@pytest.mark.parametrize(
    "name", ["no-database-post", "transfer-uniform", "authorize", "orm-transfer", "raw-64"]
)
def test_a_cell_is_measured_and_its_books_are_right(name: str, bench: Bench) -> None:
    cell = next(cell for cell in table.cells() if cell.id == CellId(name, SQLITE))
    assert cell.measure(bench)["rate"] > 0


def test_the_rate_of_the_disk_is_measured(tmp_path: Path) -> None:
    assert facts.syncs_a_second(tmp_path) > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format_", ["json", "pdf"])
def test_a_long_statement_is_timed_and_its_memory_measured(format_: str, bench: Bench) -> None:
    found = StatementCell(format_, SQLITE, entries=2_000).measure(bench)
    assert found["rate"] == pytest.approx(2_000 / found["seconds"])
    assert 0 <= found["peak_mib"] < 100
