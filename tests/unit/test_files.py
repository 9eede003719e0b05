import os
from pathlib import Path

import pytest

from app.core.files import create_private_file


def test_the_file_and_its_folder_are_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret"
    create_private_file(path, lambda draft: draft.write_text("one"))
    assert path.read_text() == "one"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("first")
    create_private_file(tmp_path / "secret", lambda draft: draft.write_text("second"))
    assert (tmp_path / "secret").read_text() == "first"


def test_of_two_that_are_made_at_once_the_first_is_kept(tmp_path: Path) -> None:
    def fill_while_another_process_does(draft: Path) -> None:
        (tmp_path / "secret").write_text("first")
        draft.write_text("second")

    create_private_file(tmp_path / "secret", fill_while_another_process_does)
    assert (tmp_path / "secret").read_text() == "first"
    assert os.listdir(tmp_path) == ["secret"]


def test_a_failure_leaves_nothing_half_written(tmp_path: Path) -> None:
    def fail(draft: Path) -> None:
        draft.write_text("half")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        create_private_file(tmp_path / "secret", fail)
    assert os.listdir(tmp_path) == []
