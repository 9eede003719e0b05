"""`bank verify`, as an operator runs it."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli import main
from app.core.config import Settings
from app.db.unit_of_work import Database
from app.repositories.integrity import CHECKS
from tests.damage import DAMAGES, damaged, drop_guards, history
from tests.server import bank, environment


def test_right_books_are_said_to_be_right(db: Database, settings: Settings, tmp_path: Path) -> None:
    history(db)
    done = bank("verify", env=environment(settings.database_url), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{len(CHECKS) + 1} rules checked; the books are right.\n"


def test_every_wrong_row_is_named_and_the_exit_code_is_1(
    db: Database, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    past = history(db)
    drop_guards(db)
    for name, value in environment(settings.database_url).items():
        monkeypatch.setenv(name, value)
    for statement, expected in DAMAGES:
        with damaged(db, statement, past):
            done = CliRunner().invoke(main, ["verify"])
        named = {tuple(line.split(": is ")[0].split(": ", 1)) for line in done.stderr.splitlines()}
        assert named == {(past.names().get(row, row), rule) for rule, row in expected}, statement
        assert (done.exit_code, done.stdout) == (1, "")
    assert CliRunner().invoke(main, ["verify"]).exit_code == 0


def test_a_wrong_row_fails_the_command_itself(db: Database, settings: Settings, tmp_path: Path) -> None:
    past = history(db)
    drop_guards(db)
    past.books.set(past.two, unarranged=5)
    done = bank("verify", env=environment(settings.database_url), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"{past.two.id}: unarranged is how far a customer's account is below its arranged floor: "
        "is 5, should be 0\n"
    )


def test_a_database_that_is_not_migrated_cannot_be_verified(empty_database_url: str, tmp_path: Path) -> None:
    done = bank("verify", env=environment(empty_database_url), cwd=tmp_path)
    assert done.returncode == 1
    assert "bank migrate" in done.stderr
