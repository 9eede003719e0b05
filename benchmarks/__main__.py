"""`python -m benchmarks`: all cells, in rounds. CELLS, ROUNDS and SECONDS run a part, or less of it."""

import os
import sys
from typing import Final

from benchmarks import table
from benchmarks.cells import Bench, Measured
from benchmarks.databases import databases
from benchmarks.table import Cell
from reliability.report import ROOT

_WARM_UP: Final = 0.7
_SHOWN: Final = ("rate", "p50_ms", "p99_ms", "max_ms")
FOLDER: Final = ROOT / "build" / "benchmarks"


def main() -> int:
    """Runs the cells that CELLS names."""
    words = [word.strip() for word in os.environ.get("CELLS", "").split(",") if word.strip()]
    try:
        cells = table.chosen(words)
    except KeyError as error:
        names = ", ".join(dict.fromkeys(cell.name for cell in table.cells()))
        print(f"CELLS={error.args[0]}: the cells are {names}", file=sys.stderr)
        return 2
    rounds = int(os.environ.get("ROUNDS", "3"))
    seconds = float(os.environ.get("SECONDS", "3"))
    with databases(FOLDER) as made:
        bench = Bench(made, seconds, _WARM_UP, seed=0)
        for number in range(rounds):
            for cell in cells:
                measure(bench, cell, number)
    return 0


def measure(bench: Bench, cell: Cell, number: int) -> Measured:
    """Measures one cell and says what it came to."""
    measured = cell.measure(bench)
    shown = ", ".join(f"{name} {measured[name]:,.1f}" for name in _SHOWN if name in measured)
    print(f"{number + 1}. {cell.name} {cell.database}: {shown or measured}", flush=True)
    return measured


if __name__ == "__main__":
    sys.exit(main())
