"""What a run came to: medians of its rounds, and the ratios that the service is judged by."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.cells import CellId, Measured
from benchmarks.databases import POSTGRESQL, SQLITE
from benchmarks.table import NOTHING_POSTED, NOTHING_READ

Results = dict[str, Any]
_MEDIANS: Final = ("rate", "p50_ms", "p99_ms", "seconds", "peak_mib", "size")
_SUMS: Final = ("late", "dropped")


def summary(rounds: Sequence[Measured]) -> Measured:
    """Of the rounds: the medians, the longest of all latencies, how many were late or dropped.

    An error in one round is the result: the others say nothing then.
    """
    for measured in rounds:
        if "error" in measured or "note" in measured:
            return {name: measured[name] for name in ("error", "note") if name in measured}
    found: Measured = {name: median(one[name] for one in rounds) for name in _MEDIANS if name in rounds[0]}
    if "max_ms" in rounds[0]:
        found["max_ms"] = max(one["max_ms"] for one in rounds)
    found |= {name: sum(one[name] for one in rounds) for name in _SUMS if name in rounds[0]}
    return found


@dataclass(frozen=True, slots=True)
class Ratio:
    """One cell's figure over another's, and what is asked of it: at least, or less than."""

    says: str
    of: CellId
    to: CellId
    at_least: float | None = None
    less_than: float | None = None
    figure: str = "rate"

    @property
    def target(self) -> str:
        return f">= {self.at_least:g}" if self.at_least is not None else f"< {self.less_than:g}"

    def is_met(self, ratio: float) -> bool:
        if self.at_least is not None:
            return ratio >= self.at_least
        return self.less_than is not None and ratio < self.less_than


def _ratios(database: str) -> list[Ratio]:
    def cell(name: str) -> CellId:
        return CellId(name, database)

    uniform = cell("transfer-uniform")
    found = [
        Ratio(
            "transfer : no-database POST",
            uniform,
            NOTHING_POSTED,
            at_least=0.6 if database == SQLITE else 0.45,
        ),
        Ratio("transfer : ORM transfer", uniform, cell("orm-transfer"), at_least=4),
        Ratio("one hot source : uniform", cell("transfer-hot-source"), uniform, at_least=0.95),
        Ratio("one hot destination : uniform", cell("transfer-hot-destination"), uniform, at_least=0.95),
        Ratio("authorisation : transfer", cell("authorize"), uniform, at_least=0.8),
        Ratio("balance : no-database GET", cell("balance"), NOTHING_READ, at_least=0.75),
    ]
    if database == POSTGRESQL:
        hot = CellId("pgbench-hot-source", POSTGRESQL)
        found.append(Ratio("hot source : the same in pgbench", cell("transfer-hot-source"), hot, at_least=3))
    found += [
        Ratio(
            f"p99 of transfers beside {rate} logins/s : without",
            cell(f"login-flood-{rate}"),
            uniform,
            less_than=1.5,
            figure="p99_ms",
        )
        for rate in (5, 20)
    ]
    found.append(Ratio("grown database : fresh", cell("transfer-grown"), uniform, at_least=0.6))
    return found


RATIOS: Final = (*_ratios(SQLITE), *_ratios(POSTGRESQL))


def ratio_of(cells: Mapping[CellId, Measured], ratio: Ratio) -> float | None:
    """None when one of the two was not measured."""
    of, to = (cells.get(one, {}).get(ratio.figure) for one in (ratio.of, ratio.to))
    return of / to if of is not None and to is not None else None


def cells_of(results: Results) -> dict[CellId, Measured]:
    """The summaries, by cell, in the order of a round."""
    return {CellId(cell["name"], cell["database"]): cell for cell in results["cells"]}


def load(path: Path) -> Results | None:
    """None where nothing has been measured yet."""
    found: Results | None = json.loads(path.read_text("utf-8")) if path.exists() else None
    return found


def save(results: Results, path: Path) -> None:
    """Whole or not at all."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    draft.replace(path)
