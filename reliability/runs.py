"""Runs of the commands. A run's lines are in a file until the report has them, whatever happens to us."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from filelock import FileLock

from reliability import machine, page, report
from reliability.report import ROOT
from reliability.rows import Row

SPOOL: Final = ROOT / "build" / "reliability"


# Takes what is known of a run, and its lines.
Update = Callable[[dict[str, Any], Sequence[dict[str, Any]]], None]


def update_report(about: dict[str, Any], lines: Sequence[dict[str, Any]]) -> None:
    """Adds a run to the report, the page and the README."""
    with FileLock(SPOOL / "lock"):
        known = report.load()
        report.add(known, about, lines)
        report.save(known)
        page.write(known)


def take_in(others: Sequence[Path]) -> None:
    """Adds the runs of other reports, such as those of another branch or machine."""
    SPOOL.mkdir(parents=True, exist_ok=True)
    with FileLock(SPOOL / "lock"):
        known = report.load()
        for path in others:
            report.take_in(known, json.loads(path.read_text("utf-8")))
        report.save(known)
        page.write(known)


def run(rows: Sequence[Row], spool: Path = SPOOL, update: Update = update_report) -> bool:
    """Runs the commands of these rows, each once, and adds what they record. Whether all went well."""
    spool.mkdir(parents=True, exist_ok=True)
    collect(spool, update)
    commands = list(dict.fromkeys(row.expanded for row in rows))
    results = [_run(command, spool, update) for command in commands]
    return all(results)


def _run(command: str, spool: Path, update: Update) -> bool:
    about = _describe(command)
    path = spool / f"{about['id']}.json"
    _write(path, about)
    print(f"\n{command}", flush=True)
    try:
        ran = subprocess.run(["sh", "-c", command], cwd=ROOT, env=_environment(path), check=False)  # noqa: S607
        about |= {"finished": True, "passed": ran.returncode == 0}
        return ran.returncode == 0
    finally:
        _write(path, about | {"pid": None})
        collect(spool, update)


def _describe(command: str) -> dict[str, Any]:
    return {
        "id": secrets.token_hex(6),
        "pid": os.getpid(),
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "commit": machine.commit(),
        "versions": machine.versions(),
        "machine": machine.machine(),
        # Until the command has ended: an interruption is no failure.
        "finished": False,
        "passed": True,
    }


def _environment(path: Path) -> dict[str, str]:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": programs, "RELIABILITY_ROW": str(path.with_suffix(".jsonl"))}


def collect(spool: Path, update: Update) -> None:
    """Adds what ended runs have left, also those whose end we did not see."""
    for path in sorted(spool.glob("*.json")):
        about = json.loads(path.read_text("utf-8"))
        if _is_alive(about.pop("pid")):
            continue
        lines = path.with_suffix(".jsonl")
        if lines.exists():
            update(about, [json.loads(line) for line in _whole_lines(lines)])
        path.unlink()
        lines.unlink(missing_ok=True)


def _whole_lines(path: Path) -> Iterator[str]:
    for line in path.read_text("utf-8").splitlines(keepends=True):
        # A program that was killed may not have come to the end of its line.
        if line.endswith("\n"):
            yield line


def _is_alive(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # Somebody else's.
        return True
    return True


def _write(path: Path, about: dict[str, Any]) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(about), "utf-8")
    draft.replace(path)
