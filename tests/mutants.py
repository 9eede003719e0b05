"""Is there a test that notices? `make mutants` asks it of money, the ledger and idempotency.

First of each line and branch: the tests run it, or this fails. Then of small changes to the code, one
at a time (mutants): a test fails, or the change is in reliability/mutants.md with the reason why it does
no harm. What is changed and which tests are asked is in pyproject.toml, `tool.mutmut`.
"""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

from tests.record import record

ROOT: Final = Path(__file__).parents[1]
HARMLESS: Final = ROOT / "reliability" / "mutants.md"
# The changed code is run in a copy, from nothing each time: results of other tests would be trusted.
_COPY: Final = ROOT / "build" / "mutants"
_BIN: Final = Path(sys.executable).parent
# A test that never ends has noticed something, too.
_NOTICED: Final = ("killed", "timeout")

# (function, lines taken away and put in its place)
Change = tuple[str, str]


def settings() -> dict[str, Any]:
    """The section of pyproject.toml."""
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]
    return found


def main() -> int:
    """Measures the coverage, then runs the mutants."""
    covered = measure_coverage()
    return 0 if run_mutants() and covered else 1


def measure_coverage() -> bool:
    """Whether the tests run every line and branch, on both databases."""
    report = ROOT / "build" / "mutants-coverage.json"
    tests = [one for one in settings()["pytest_add_cli_args_test_selection"] if one.startswith("tests/")]
    options = ("-o", "addopts=", "-q", "-n", "2", "--cov=app", "--cov-branch", f"--cov-report=json:{report}")
    if subprocess.run([_BIN / "pytest", *options, *tests], cwd=ROOT, check=False).returncode != 0:
        return False
    files = {
        name: measured["summary"]
        for name, measured in json.loads(report.read_text())["files"].items()
        if any(fnmatch(name, pattern) for pattern in settings()["only_mutate"])
    }
    for name, one in files.items():
        if one["percent_covered"] < 100:
            print(f"{name}: {one['missing_lines']} lines and {one['missing_branches']} branches do not run")
    record(
        "coverage",
        files=len(files),
        lines=sum(one["num_statements"] for one in files.values()),
        branches=sum(one["num_branches"] for one in files.values()),
        covered_percent=int(min(one["percent_covered"] for one in files.values())),
    )
    return all(one["percent_covered"] == 100 for one in files.values())


def run_mutants() -> bool:
    """Whether each mutant is noticed, or known to be harmless."""
    _copy()
    subprocess.run([_BIN / "mutmut", "run", "--max-children", "2"], cwd=_COPY, check=True)
    states = dict(re.findall(r"^ +(\S+): (.+)$", _mutmut("results", "--all", "true"), re.M))
    left = {name: change_of(name) for name, state in states.items() if state not in _NOTICED}
    known = set(harmless())
    unknown = {name: change for name, change in left.items() if change not in known}
    for name, (function, lines) in unknown.items():
        print(f"\n{name}: {states[name]}\n\n## `{function}`\n\n```diff\n{lines}\n```")
    for function, lines in known - set(left.values()):
        print(f"\nNo longer needed in {HARMLESS.name}: {function}\n{lines}")
    record("mutants", mutants=len(states), harmless=len(left) - len(unknown), survived=len(unknown))
    print(f"\n{len(states)} mutants, {len(left) - len(unknown)} harmless, {len(unknown)} survived")
    return not unknown


def _copy() -> None:
    shutil.rmtree(_COPY, ignore_errors=True)
    _COPY.mkdir(parents=True)
    for name in (*settings()["source_paths"], *settings()["also_copy"], "tests", "pyproject.toml"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, _COPY / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, _COPY / name)


def _mutmut(*arguments: str) -> str:
    return subprocess.run(
        [_BIN / "mutmut", *arguments], cwd=_COPY, check=True, capture_output=True, text=True
    ).stdout


def change_of(mutant: str) -> Change:
    """What `app.ledger.batch.xǁBatchǁaccount__mutmut_3` changes, and where."""
    diff = _mutmut("show", mutant).splitlines()
    lines = [line for line in diff if re.match(r"[-+](?![-+])", line)]
    return function_of(mutant), "\n".join(line[0] + " " + line[1:].strip() for line in lines)


def function_of(mutant: str) -> str:
    """`app.ledger.batch.Batch.account`."""
    module, _, name = mutant.partition(".x")
    return f"{module}.{name[1:].rpartition('__mutmut_')[0].replace('ǁ', '.')}"


def harmless() -> Iterator[Change]:
    """The changes that reliability/mutants.md lists: the code blocks below each function's heading."""
    for function, text in re.findall(r"^## `(\S+)`\n(.*?)(?=^## |\Z)", HARMLESS.read_text(), re.M | re.S):
        for lines in re.findall(r"^```diff\n(.*?)\n```$", text, re.M | re.S):
            yield function, lines


if __name__ == "__main__":
    sys.exit(main())
