"""The report: runs by row, and what they add up to."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from reliability.rows import FAULTS, ROWS, Row, find

ROOT: Final = Path(__file__).parents[1]
REPORT: Final = ROOT / "reliability" / "report.json"

Line = Mapping[str, Any]
# {row: {"runs": [...], "totals": {...}}}. A run that failed stays; once it is known why, and what was
# mended, its `note` says so.
Report = dict[str, dict[str, Any]]
# Of a line; the run itself knows the command.
_NO_COUNTERS: Final = ("row", "seed", "command")


def load(path: Path = REPORT) -> Report:
    """The report so far; empty where there is none."""
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def save(report: Report, path: Path = REPORT) -> None:
    """Whole or not at all."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8")
    draft.replace(path)


def add(report: Report, run: Mapping[str, Any], lines: Iterable[Line]) -> None:
    """Adds a run's lines to their rows, or replaces what the same run (by its id) had before."""
    by_row: dict[str, list[Line]] = {}
    for line in lines:
        by_row.setdefault(find(line["row"]).name, []).append(line)
    for name, own in by_row.items():
        entry = report.setdefault(name, {"runs": []})
        kept = [one for one in entry["runs"] if one["id"] != run["id"]]
        seeds = sorted({line["seed"] for line in own if "seed" in line})
        entry["runs"] = [*kept, {**run, "seeds": seeds, "counts": together(own)}]
        entry["totals"] = _totals(find(name), entry["runs"])


def take_in(report: Report, other: Report) -> None:
    """Adds the runs of another report, after those that are here; what both have counts once.

    A note that only the other has comes along.
    """
    for name, entry in other.items():
        own = report.setdefault(name, {"runs": []})
        known = {run["id"]: run for run in own["runs"]}
        for run in entry["runs"]:
            if run["id"] not in known:
                own["runs"].append(run)
            elif "note" in run:
                known[run["id"]].setdefault("note", run["note"])
        own["totals"] = _totals(find(name), own["runs"])


def together(lines: Iterable[Line]) -> dict[str, Any]:
    """Numbers added up (`..._max`: the largest, `..._percent`: the smallest), texts listed."""
    counts: dict[str, Any] = {}
    for line in lines:
        for name, value in line.items():
            if name not in _NO_COUNTERS:
                counts[name] = _joined(name, counts.get(name), value)
    return counts


def _joined(name: str, known: Any, value: Any) -> Any:
    if isinstance(value, str | list):
        more = [value] if isinstance(value, str) else value
        return sorted({*(known or ()), *more})
    if known is None:
        return value
    if name.endswith("_max"):
        return max(known, value)
    return min(known, value) if name.endswith("_percent") else known + value


def _totals(row: Row, runs: list[dict[str, Any]]) -> dict[str, Any]:
    counted = runs if row.adds_up else runs[-1:]
    failed = [run for run in counted if not run["passed"]]
    explained = sum("note" in run for run in failed)
    return together(map(_counts, counted)) | {
        "failed_runs": len(failed) - explained,
        "explained_runs": explained,
    }


def _counts(run: dict[str, Any]) -> dict[str, Any]:
    """What a run adds to its row. The faults and extremes of one with a note are told beside the note."""
    counts: dict[str, Any] = run["counts"]
    if "note" not in run:
        return counts
    left_out = {name for name in counts if name in FAULTS or name.endswith("_max")}
    return {name: value for name, value in counts.items() if name not in left_out}


def in_order(report: Report) -> list[tuple[Row, dict[str, Any] | None]]:
    """Every row, with what is known of it."""
    return [(row, report.get(row.name)) for row in ROWS]
