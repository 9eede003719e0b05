"""The report as a page, and its table in the README."""

from pathlib import Path
from typing import Any, Final

from reliability.report import ROOT, Report, in_order
from reliability.rows import FAULTS

PAGE: Final = ROOT / "reliability" / "README.md"
README: Final = ROOT / "README.md"
COLUMNS: Final = ("Proof", "How much", "Found", "Command")
# Of a line about one run, which says by itself whether it failed.
_NO_RUNS: Final = {"failed_runs": 0, "explained_runs": 0}
_BEGIN: Final = "<!-- made by make reliability: begin -->\n"
_END: Final = "<!-- made by make reliability: end -->\n"


def write(report: Report, page: Path = PAGE, readme: Path = README) -> None:
    """Writes the page, and the table between its marks in the README."""
    page.write_text(render(report), "utf-8")
    text = readme.read_text("utf-8")
    head, rest = text.split(_BEGIN)
    _, tail = rest.split(_END)
    readme.write_text(f"{head}{_BEGIN}{table(report)}{_END}{tail}", "utf-8")


def table(report: Report) -> str:
    """A line a row, also for those that have not been run."""
    lines = [COLUMNS, ("---",) * len(COLUMNS)]
    for row, entry in in_order(report):
        if entry is None:
            lines.append((row.name, "not run yet", "", f"`ROW={_word(row.name)} make reliability`"))
        else:
            totals = entry["totals"]
            lines.append((row.name, _amount(totals), _found(totals), f"`{entry['runs'][-1]['command']}`"))
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _word(name: str) -> str:
    return name.replace(" ", "-")


def _amount(totals: dict[str, Any]) -> str:
    numbers = {name: value for name, value in totals.items() if isinstance(value, int | float)}
    shown = [_number(name, value) for name, value in numbers.items() if not _is_fault(name)]
    return ", ".join(shown) or "run"


def _found(totals: dict[str, Any]) -> str:
    faults = [_number(name, totals[name]) for name in FAULTS if name in totals]
    failed = [_runs(totals["failed_runs"])] if totals["failed_runs"] else []
    found = ", ".join(failed + faults) or "all passed"
    explained = totals["explained_runs"]
    return f"{found}; {_runs(explained)}, explained" if explained else found


def _runs(number: int) -> str:
    return f"{number} failed run{'s' if number > 1 else ''}"


def _is_fault(name: str) -> bool:
    return name in (*FAULTS, "failed_runs", "explained_runs")


def _number(name: str, value: float) -> str:
    if name.endswith("_percent"):
        return f"{value:g} % {_text(name.removesuffix('_percent'))}"
    if name.endswith("_ms_max"):
        return f"{_text(name.removesuffix('_ms_max'))} in at most {value:,} ms"
    return f"{value:,} {_text(name)}"


def _text(name: str) -> str:
    return name.replace("_", " ")


def render(report: Report) -> str:
    """The page: the table, then each row with its runs."""
    parts = [_HEAD, table(report)]
    for row, entry in in_order(report):
        parts.append(f"\n## {row.name.capitalize()}\n\n{row.proves}\n")
        parts += ["\nNot run yet.\n"] if entry is None else ["\n", *map(_run, entry["runs"])]
    return "".join(parts)


def _run(run: dict[str, Any]) -> str:
    note = f"  Explained: {run['note']}\n" if "note" in run else ""
    seeds = f"; seeds {', '.join(map(str, run['seeds']))}" if run["seeds"] else ""
    texts = [", ".join(value) for value in run["counts"].values() if isinstance(value, list)]
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    machine = run["machine"]
    where = f"{machine['cores']} cores, {machine['cpu']}"
    return (
        f"- {run['date']}, {run['commit']}{_state(run)}: {_amount(run['counts'])}; "
        f"{_found(run['counts'] | _NO_RUNS)}{seeds}{'; ' if texts else ''}{'; '.join(texts)}.\n"
        f"  `{run['command']}` ({versions}; {where})\n{note}"
    )


def _state(run: dict[str, Any]) -> str:
    if not run["passed"]:
        return ", failed, explained" if "note" in run else ", FAILED"
    return "" if run["finished"] else ", interrupted"


_HEAD: Final = """# Reliability

Written by `make reliability` from [report.json](report.json); every run adds to it. One row alone:
`ROW=kills make reliability`. Longer: `KILLS=500 ROW=kills make reliability`, `ROUNDS=10 ROW=races make
reliability`. A run that is interrupted keeps what it had done, and kills go on where they stopped.
`python -m reliability FILE` runs nothing: it takes in the runs of another branch's or machine's report.json.

A run that failed stays. When it is known why, and what was wrong has been mended, a `note` in report.json
says so, and `python -m reliability reliability/report.json` writes the pages again. What such a run found,
and its largest times, are then told with its note and not in the sums.
What none of this tries is in the [README](../README.md#what-was-not-tested).

"""
