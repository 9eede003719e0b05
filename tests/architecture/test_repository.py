"""What is in the repository: only what a reader needs, and nothing of the machine it was written on."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.architecture.documents import ROOT

# Made by tools and ignored by git.
LOCAL = {
    ".git",
    ".venv",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".import_linter_cache",
    ".hypothesis",
    "htmlcov",
    "build",
    "dist",
    "data",
}
NEVER = re.compile(
    r"\.(pyc|pyo|so|db|db-wal|db-shm|sqlite3?|log|pem|key|p12|pfx|jks|kdbx|bak|orig|rej|swp|zip|gz|whl)$"
    r"|(^|/)(\.env|jwt_secret|card_key|id_rsa|id_ed25519|\.coverage(\..+)?|\.netrc|\.pgpass|__pycache__|\.DS_Store)(/|$)"
)
SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{20,}"
    r"|\b(ghp|gho|glpat|xox[abp]|sk_live|rk_live)[_-]\w{16,}"
    r"|\bAKIA[0-9A-Z]{16}\b"
)
FOREIGN = re.compile(
    r"(?<![\w./])/(home|Users|root|work|workspace|workspaces|mnt)/\w"  # somebody's machine
    r"|\s--(extra-)?index-url|\s--find-links|\s--trusted-host"  # somebody's package server
    r"|https?://[^\s\"'>]*(pypi|artifactory|nexus|devpi|/simple\b)"
    r"|(?<![\w-])[A-Z]-\d{2,4}\b"  # a number in somebody's list
)
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|HA" r"CK)\b")


def files() -> list[Path]:
    """Every file of the repository; in a copy without git, every file that git would not ignore."""
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        listed = subprocess.run(
            [git, "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
        )
        return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]
    return walk(ROOT)


def walk(root: Path) -> list[Path]:
    """The files below a folder, without what tools and runs leave behind."""
    found = []
    for path in sorted(root.iterdir()):
        local = path.name in LOCAL or path.name.endswith(".egg-info") or path.name == "__pycache__"
        if path.is_dir() and not local:
            found += walk(path)
        elif path.is_file() and not re.fullmatch(r"\.coverage(\..+)?|\.env", path.name):
            found.append(path)
    return found


def lines_with(pattern: re.Pattern[str], text: str) -> list[str]:
    return [line.strip()[:100] for line in text.splitlines() if pattern.search(line)]


def text_of(path: Path) -> str:
    """What a file says; everything is text but the fonts of the statements."""
    return "" if path.suffix == ".ttf" else path.read_text("utf-8")


def offences(pattern: re.Pattern[str]) -> dict[str, list[str]]:
    found = {str(path.relative_to(ROOT)): lines_with(pattern, text_of(path)) for path in files()}
    return {path: lines for path, lines in found.items() if lines}


def test_every_file_is_text_and_of_a_kind_that_belongs_here() -> None:
    names = [path.relative_to(ROOT).as_posix() for path in files()]
    assert {"README.md", "app/main.py", "LICENSE"} <= set(names)
    assert [name for name in names if NEVER.search(name)] == []
    assert [name for name in names if (ROOT / name).stat().st_size > 1_000_000] == []


def test_no_file_holds_a_key_or_a_token() -> None:
    assert offences(SECRET) == {}


def test_no_file_speaks_of_another_place() -> None:
    assert offences(FOREIGN) == {}


def test_no_source_is_unfinished() -> None:
    found = offences(UNFINISHED)
    assert {path: lines for path, lines in found.items() if path.endswith((".py", ".toml", ".yml"))} == {}


def test_a_copy_without_git_is_scanned_as_well() -> None:
    assert set(files()) <= set(walk(ROOT))


@pytest.mark.parametrize(
    "name", ["data/bank.db", "app/__pycache__/main.pyc", ".env", "tls/server.key", "serve.log", ".coverage.7"]
)
def test_a_file_that_does_not_belong_here_is_caught(name: str) -> None:
    assert NEVER.search(name)


@pytest.mark.parametrize("name", [".env.example", "config/prod.env.example", "app/db/lane.py", ".gitignore"])
def test_a_file_that_belongs_here_is_not(name: str) -> None:
    assert not NEVER.search(name)


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (SECRET, "-----BEGIN RSA " + "PRIVATE KEY-----"),
        (SECRET, "token = 'ey" + "JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0." + "c2lnbmVkLWJ5LXNvbWVib2R5LXdobw'"),
        (SECRET, "AKIA" + "ABCDEFGHIJKLMNOP"),
        (FOREIGN, "see /" + "home/somebody/notes"),
        (FOREIGN, "pip install -" + "-index-url x"),
        (FOREIGN, "https://" + "nexus.example.com/x"),
        (FOREIGN, "as case D" + "-031 says"),
        (UNFINISHED, "# TO" + "DO later"),
    ],
)
def test_a_line_that_does_not_belong_here_is_caught(pattern: re.Pattern[str], line: str) -> None:
    assert lines_with(pattern, line)
