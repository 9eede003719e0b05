"""`python -m benchmarks`: all cells, in rounds.

CELLS=balance,mix:sqlite and ROUNDS and SECONDS run a part, or less; GROWN=1000000 adds databases that
have so many transfers. A part is written to build/benchmarks, only the whole to benchmarks/.
"""

import os
import sys
from collections.abc import Sequence
from typing import Any, Final

import psycopg

from benchmarks import facts, page, results, systems, table
from benchmarks.cells import Bench, CellFailed, CellId, Measured
from benchmarks.databases import databases
from benchmarks.table import Cell
from reliability.report import ROOT

_WARM_UP: Final = 0.7
FOLDER: Final = ROOT / "build" / "benchmarks"


def main() -> int:
    """Measures the cells that CELLS names, and writes down what they came to."""
    words = [word.strip() for word in os.environ.get("CELLS", "").split(",") if word.strip()]
    grown = int(os.environ.get("GROWN", "0"))
    try:
        cells = table.chosen(words, grown)
    except KeyError as error:
        names = ", ".join(dict.fromkeys(cell.id.name for cell in table.cells(grown=1)))
        print(f"CELLS={error.args[0]}: the cells are {names}", file=sys.stderr)
        return 2
    rounds, seconds = int(os.environ.get("ROUNDS", "3")), float(os.environ.get("SECONDS", "3"))
    systems.take_our_core()
    with databases(FOLDER) as made:
        about = facts.describe(made.folder, rounds=rounds, seconds=seconds, grown=grown)
        measured = run(Bench(made, seconds, _WARM_UP), cells, rounds)
    found = about | {"cells": summarized(measured)}
    page.write(found, FOLDER / page.RECORD.name if words else page.RECORD)
    if not words:
        page.write_readme(found)
    print(f"\n{page.ratios(found)}")
    return 1 if any("error" in cell for cell in found["cells"]) else 0


def run(bench: Bench, cells: Sequence[Cell], rounds: int) -> dict[CellId, list[Measured]]:
    """Measures every cell once a round, so that what drifts on the machine drifts for all of them."""
    measured: dict[CellId, list[Measured]] = {cell.id: [] for cell in cells}
    for number in range(rounds):
        for cell in cells:
            one = measure(bench, cell)
            measured[cell.id].append(one)
            print(f"{number + 1}. {cell.id.name} {cell.id.database}: {_shown(one)}", flush=True)
    return measured


def measure(bench: Bench, cell: Cell) -> Measured:
    """One cell once; what goes wrong is its result."""
    try:
        measured = cell.measure(bench)
    except (CellFailed, OSError, RuntimeError, psycopg.Error) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    if "rate" in measured:
        bench.rates[cell.id] = measured["rate"]
    return measured


def _shown(measured: Measured) -> str:
    if "rate" not in measured:
        return str(measured.get("error") or measured.get("note"))
    times = ", ".join(f"{name} {measured[name]:.1f}" for name in ("p50_ms", "p99_ms") if name in measured)
    return f"{measured['rate']:,.0f}/s {times}"


def summarized(measured: dict[CellId, list[Measured]]) -> list[dict[str, Any]]:
    """Each cell with its medians, and its rounds."""
    return [
        {"name": name, "database": database, **results.summary(rounds), "rounds": rounds}
        for (name, database), rounds in measured.items()
    ]


if __name__ == "__main__":
    sys.exit(main())
