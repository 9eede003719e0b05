"""The story that `make demo` tells."""

import subprocess
import sys
from pathlib import Path

from tests.server import environment


def test_the_story_comes_to_its_end_with_the_books_right(empty_database_url: str, tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "demo.story"],
        env=environment(empty_database_url),
        cwd=tmp_path,
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (told.returncode, told.stderr) == (0, "")
    lines = told.stdout.splitlines()
    assert "insufficient_funds" in told.stdout
    assert "the rest is let go" in told.stdout
    assert lines[-1].endswith("the books are right.")


def test_the_demo_refuses_to_run_where_money_is_real(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "demo.story"],
        env=environment(f"sqlite:///{tmp_path}/data/bank.db", APP_ENV="prod"),
        cwd=tmp_path,
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (told.returncode, told.stderr) == (1, "The demo only runs with APP_ENV=dev or test.\n")
    assert list(tmp_path.iterdir()) == []
