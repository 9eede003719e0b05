"""The layers of pyproject.toml hold, and an import that breaks them is seen."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """import-linter, over the `app` and the contracts of a folder."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the code to break."""
    shutil.copytree(ROOT / "app", tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_import_goes_down() -> None:
    checked = lint_imports(ROOT)
    assert checked.returncode == 0, checked.stdout
    assert "3 kept, 0 broken" in checked.stdout


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("core/clock.py", "import app.db.base", "A request walks down, nothing calls upward"),
        ("models/audit.py", "import app.repositories.audit", "A request walks down, nothing calls upward"),
        ("repositories/audit.py", "import app.ledger", "A request walks down, nothing calls upward"),
        ("services/health.py", "import app.schemas.base", "A request walks down, nothing calls upward"),
        ("services/health.py", "import app.api.deps", "A request walks down, nothing calls upward"),
        ("services/health.py", "import app.services.auth", "Services do not know each other"),
        ("services/health.py", "import fastapi", "Only the edge knows HTTP"),
        ("core/errors.py", "import starlette.exceptions", "Only the edge knows HTTP"),
    ],
)
def test_an_import_that_goes_up_or_sideways_is_caught(
    copy: Path, file: str, line: str, contract: str
) -> None:
    path = copy / "app" / file
    path.write_text(f"{path.read_text()}\n{line}\n")
    checked = lint_imports(copy)
    assert checked.returncode == 1, checked.stdout
    assert f"{contract} BROKEN" in checked.stdout
