"""The reliability table of the README, its page, and report.json say the same."""

import re

from reliability import page, report
from reliability.rows import ROWS
from tests.architecture.documents import headings, read, table


def test_the_readme_shows_the_table_of_the_report() -> None:
    shown = [tuple(row.values()) for row in table("README.md", page.COLUMNS[0])]
    written = [tuple(_cells(line)) for line in page.table(report.load()).splitlines()[2:]]
    assert shown == written
    assert [row[0] for row in shown] == [row.name for row in ROWS]


def _cells(line: str) -> list[str]:
    return [cell.strip().strip("`") for cell in line.strip("|").split("|")]


def test_the_page_is_the_report() -> None:
    assert read("reliability/README.md") == page.render(report.load())


def test_totals_are_the_sums_of_the_runs() -> None:
    known = report.load()
    again: report.Report = {}
    for name, entry in known.items():
        for run in entry["runs"]:
            lines = [{"row": name, "seed": seed} for seed in run["seeds"]] + [{"row": name} | run["counts"]]
            report.add(again, {key: run[key] for key in run if key not in ("seeds", "counts")}, lines)
    assert again == known


def test_every_run_says_where_and_how_it_was_made() -> None:
    for entry in report.load().values():
        for run in entry["runs"]:
            assert {"command", "seeds", "versions", "machine", "commit", "date", "passed"} <= set(run)
            assert set(run["machine"]) == {"cores", "cpu"}


def test_the_readme_says_what_was_not_tested() -> None:
    assert "What was not tested" in headings("README.md", 3)


def test_every_command_that_the_report_shows_exists() -> None:
    shown = {run["command"] for entry in report.load().values() for run in entry["runs"]}
    made = {target for command in shown for target in re.findall(r"\bmake (\S+)", command)}
    assert {
        name for name in {*made, "crash", "reliability"} if f"\n{name}: " not in read("Makefile")
    } == set()
