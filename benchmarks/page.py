"""The results as Markdown: a page of their own, and the short form in the README."""

from pathlib import Path
from typing import Any, Final

from benchmarks.cells import CellId, Measured
from benchmarks.databases import POSTGRESQL, SQLITE
from benchmarks.results import RATIOS, Results, cells_of, ratio_of, save
from reliability.report import ROOT

RECORD: Final = ROOT / "benchmarks" / "results.json"
PAGE: Final = RECORD.with_suffix(".md")
README: Final = ROOT / "README.md"
_BEGIN: Final = "<!-- made by make bench: begin -->\n"
_END: Final = "<!-- made by make bench: end -->\n"
_SHORT: Final = {
    "transfer-uniform": "Transfers between random accounts",
    "transfer-hot-source": "Transfers out of one account",
    "bulk": "Transfers in requests of 1,000",
    "balance": "Balance reads",
    "page": "Pages of 50 transactions",
    "mix": "70 % transfers, 20 % balances, 10 % pages",
    "orm-transfer": "Transfers, plain ORM version",
}
NOT_YET: Final = "Not measured yet: `make bench`.\n"


def write(results: Results, record: Path) -> None:
    """Writes the record, and the page beside it."""
    save(results, record)
    record.with_suffix(".md").write_text(render(results), "utf-8")


def write_readme(results: Results, readme: Path = README) -> None:
    """Writes the short form between its marks."""
    text = readme.read_text("utf-8")
    head, rest = text.split(_BEGIN)
    _, tail = rest.split(_END)
    readme.write_text(f"{head}{_BEGIN}{short(results)}{_END}{tail}", "utf-8")


def short(results: Results | None) -> str:
    """The main rates and all ratios."""
    if results is None:
        return NOT_YET
    cells = cells_of(results)
    rows = [
        (title, *(_in_short(cells.get(CellId(name, database))) for database in (SQLITE, POSTGRESQL)))
        for name, title in _SHORT.items()
    ]
    rates = _table(("A second, with 64 clients", "SQLite", "PostgreSQL"), rows)
    return f"{_where(results)}\n\n{rates}\n{ratios(results)}"


def _in_short(cell: Measured | None) -> str:
    if cell is None or "rate" not in cell:
        return "-"
    return f"{cell['rate']:,.0f}, p99 {cell['p99_ms']:.3g} ms"


def render(results: Results) -> str:
    """The page."""
    return (
        "# What was measured\n\n"
        "Written by `make bench`; [README.md](README.md) says how, and what it means.\n\n"
        f"{_where(results)}\n\n{_how(results)}\n\n## Ratios\n\n{ratios(results)}\n## Cells\n\n"
        "Medians of the rounds; `max` is the longest of all. Late: sent more than 1 ms after the planned "
        f"instant; dropped: not sent at all.\n\n{_cells(results)}"
    )


def ratios(results: Results) -> str:
    """A line for each that was measured, with what is asked of it."""
    cells = cells_of(results)
    rows = [
        (ratio.says, _database(ratio.of.database), ratio.target, f"{value:.2f}", _yes(ratio.is_met(value)))
        for ratio in RATIOS
        if (value := ratio_of(cells, ratio)) is not None
    ]
    return _table(("Ratio", "Database", "Asked", "Measured", "Met"), rows)


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _cells(results: Results) -> str:
    rows = []
    for (name, database), cell in cells_of(results).items():
        said = cell.get("error") or cell.get("note") or ""
        figures = [f"{cell['rate']:,.0f}"] if "rate" in cell else ["-"]
        figures += [f"{cell[ms]:.3g}" if ms in cell else "-" for ms in ("p50_ms", "p99_ms", "max_ms")]
        if cell.get("late") or cell.get("dropped"):
            said = f"{cell['late']:,} late, {cell['dropped']:,} dropped"
        if "peak_mib" in cell:
            megabytes = cell["size"] / 1e6
            said = f"{cell['seconds']:.1f} s, {megabytes:.1f} MB, {cell['peak_mib']:.1f} MiB of memory"
        rows.append((name, _database(database), *figures, said.replace("|", "/").replace("\n", " ")))
    return _table(("Cell", "Database", "A second", "p50 ms", "p99 ms", "max ms", ""), rows)


def _database(name: str) -> str:
    return {SQLITE: "SQLite", POSTGRESQL: "PostgreSQL"}.get(name, "")


def _where(results: Results) -> str:
    machine, versions = results["machine"], results["versions"]
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"{results['date']}, commit {results['commit']}: {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['fdatasync_a_second']:,} fdatasync a second ({machine['file_system']}); {named}."
    )


def _how(results: Results) -> str:
    load, machine = results["load"], results["machine"]
    shared = machine["core_under_test"] == machine["core_of_the_load"]
    cores = "One core for all" if shared else "The system under test on one core, the load on another"
    return (
        f"{cores}; {load['rounds']} rounds of {load['seconds']:g} s, {load['clients']} clients where nothing "
        f"else is said, {load['accounts']:,} accounts of {load['owners']} customers, log level "
        f"{load['log_level']}. Load average before: {machine['busy_before']:.2f}."
    )


def _table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, cells))} |\n" for cells in lines)
