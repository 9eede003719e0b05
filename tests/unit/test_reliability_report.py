"""The reliability report: what runs record is added up once, whatever interrupts them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reliability import page, report, runs
from reliability.rows import ROWS, Row, find

RUN: dict[str, Any] = {
    "id": "a",
    "command": "true",
    "date": "2026-01-02",
    "commit": "abc",
    "finished": True,
    "passed": True,
    "versions": {"Python": "3"},
    "machine": {"cores": 2, "cpu": "some"},
}


def kills(number: int, **more: Any) -> dict[str, Any]:
    return {"row": "kills", "kills": number, "lost": 0} | more


def totals(known: report.Report, row: str = "kills") -> dict[str, Any]:
    numbers = known[row]["totals"].items()
    return {name: value for name, value in numbers if name not in ("failed_runs", "explained_runs")}


def test_numbers_are_added_up_maxima_kept_and_texts_listed() -> None:
    known: report.Report = {}
    lines = [
        kills(20, seed=1, database="sqlite", restart_ms_max=900),
        kills(20, seed=1, database="postgresql", restart_ms_max=1500),
        {"row": "model", "commands": 7},
    ]
    report.add(known, RUN, lines)
    report.add(known, RUN | {"id": "b"}, [kills(5, seed=2, database="sqlite", restart_ms_max=800)])
    database = ["postgresql", "sqlite"]
    assert totals(known) == {"kills": 45, "lost": 0, "database": database, "restart_ms_max": 1500}
    assert [run["seeds"] for run in known["kills"]["runs"]] == [[1], [2]]
    assert totals(known, "model commands") == {"commands": 7}


def test_the_same_run_counts_once_and_a_state_replaces_the_one_before() -> None:
    known: report.Report = {}
    for number in (20, 40):
        report.add(known, RUN, [kills(number), {"row": "mutants", "survived": number}])
    report.add(known, RUN | {"id": "b"}, [{"row": "mutants", "survived": 3}])
    assert totals(known)["kills"] == 40
    assert totals(known, "mutants") == {"survived": 3}


def test_a_run_that_failed_or_found_something_is_shown_as_such() -> None:
    known: report.Report = {}
    report.add(known, RUN | {"passed": False}, [kills(3, lost=1)])
    assert "| kills | 3 kills | 1 failed run, 1 lost | `true` |" in page.table(known)
    assert "FAILED" in page.render(known)


def test_a_failed_run_that_is_explained_stays_and_says_why() -> None:
    known: report.Report = {}
    report.add(known, RUN, [kills(20, restart_ms_max=800)])
    report.add(
        known,
        RUN | {"id": "b", "passed": False, "note": "It was stopped."},
        [kills(3, lost=1, restart_ms_max=9_000)],
    )
    assert "| kills | 23 kills, restart in at most 800 ms | 0 lost; 1 failed run, explained |" in page.table(
        known
    )
    shown = page.render(known)
    assert "failed, explained: 3 kills, restart in at most 9,000 ms; 1 lost." in shown
    assert "  Explained: It was stopped.\n" in shown
    assert "FAILED" not in shown


def test_a_run_without_a_note_is_not_explained_by_the_note_of_another() -> None:
    known: report.Report = {}
    report.add(known, RUN | {"passed": False, "note": "It was stopped."}, [kills(3)])
    report.add(known, RUN | {"id": "b", "passed": False}, [kills(3, lost=2)])
    assert "| 1 failed run, 2 lost; 1 failed run, explained |" in page.table(known)
    assert "FAILED" in page.render(known)


def test_a_note_comes_along_with_another_report_and_replaces_none() -> None:
    known: report.Report = {}
    other: report.Report = {}
    report.add(known, RUN | {"passed": False}, [kills(3)])
    report.add(other, RUN | {"passed": False, "note": "first"}, [kills(3)])
    report.take_in(known, other)
    report.add(other, RUN | {"passed": False, "note": "second"}, [kills(3)])
    report.take_in(known, other)
    assert [run["note"] for run in known["kills"]["runs"]] == ["first"]
    assert (known["kills"]["totals"]["failed_runs"], known["kills"]["totals"]["explained_runs"]) == (0, 1)


def test_a_report_takes_in_the_runs_of_another_once() -> None:
    known: report.Report = {}
    other: report.Report = {}
    report.add(known, RUN, [kills(20)])
    report.add(other, RUN, [kills(20)])
    report.add(other, RUN | {"id": "b", "passed": False}, [kills(5), {"row": "mutants", "survived": 3}])
    for _ in range(2):
        report.take_in(known, other)
    assert [run["id"] for run in known["kills"]["runs"]] == ["a", "b"]
    assert (totals(known)["kills"], known["kills"]["totals"]["failed_runs"]) == (25, 1)
    assert totals(known, "mutants") == {"survived": 3}


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("kills", "kills"),
        ("model", "model commands"),
        ("bad-inputs", "bad inputs"),
        ("cut_answers", "cut answers"),
    ],
)
def test_a_row_is_found_by_words_of_its_name(name: str, row: str) -> None:
    assert find(name).name == row
    assert all(find(one.name) is one for one in ROWS)


def test_a_name_of_no_row_is_refused_with_the_names_of_all() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "reliability"],
        env={"ROW": "nonsense"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, "kills" in ran.stderr) == (2, True)


def command(text: str) -> Row:
    return Row("kills", "", text)


LINE = """printf '{"row": "kills", "kills": %d}\\n' 2 >> "$RELIABILITY_ROW";"""


def run(tmp_path: Path, *texts: str) -> tuple[bool, list[tuple[bool, bool, int]]]:
    """Whether these commands passed, and of each run: finished, passed, lines."""
    added: list[tuple[bool, bool, int]] = []

    def update(about: dict[str, Any], lines: Any) -> None:
        added.append((about["finished"], about["passed"], len(lines)))

    passed = runs.run([command(text) for text in texts], tmp_path, update)
    assert list(tmp_path.iterdir()) == []
    return passed, added


def test_a_command_runs_once_and_its_lines_are_added(tmp_path: Path) -> None:
    assert run(tmp_path, LINE * 2, LINE * 2, "exit 0") == (True, [(True, True, 2)])


def test_a_command_that_fails_adds_what_it_did_and_does_not_stop_the_others(tmp_path: Path) -> None:
    passed, added = run(tmp_path, f"{LINE} exit 3", LINE)
    assert not passed
    assert added == [(True, False, 1), (True, True, 1)]


def test_an_interrupted_run_keeps_its_whole_lines_for_the_next(tmp_path: Path) -> None:
    (tmp_path / "dead.json").write_text(json.dumps(RUN | {"pid": dead(), "finished": False}))
    (tmp_path / "dead.jsonl").write_text('{"row": "kills", "kills": 20}\n{"row": "ki')
    assert run(tmp_path, "true") == (True, [(False, True, 1)])


def test_a_run_that_goes_on_is_left_alone(tmp_path: Path) -> None:
    about = tmp_path / "other.json"
    about.write_text(json.dumps(RUN | {"pid": os.getpid()}))
    runs.collect(tmp_path, lambda *_: pytest.fail("it has not ended"))
    assert about.exists()


def dead() -> int:
    """The number of a process that has ended."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    return ended.pid


def test_what_is_shown_is_the_command_with_its_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    row = command("python -m tests.crash --kills ${KILLS:-20}")
    assert row.expanded == "python -m tests.crash --kills 20"
    monkeypatch.setenv("KILLS", "500")
    assert row.expanded == "python -m tests.crash --kills 500"
