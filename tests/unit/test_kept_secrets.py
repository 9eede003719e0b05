"""Secrets that dev and test make for themselves."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.core.config import ConfigurationError, Settings
from app.core.kept_secrets import resolve_card_key, resolve_jwt_secret
from tests.server import environment

LONG = "x" * 32
SECRETS = {"jwt_secret": resolve_jwt_secret, "card_key": resolve_card_key}
Resolve = Callable[[Settings], str]


@pytest.fixture(params=SECRETS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def resolve(name: str) -> Resolve:
    return SECRETS[name]


def settings(folder: Path, **more: Any) -> Settings:
    return Settings(_env_file=None, app_env="dev", database_url=f"sqlite:///{folder}/bank.db", **more)


def test_is_made_once_beside_the_database_for_its_owner_alone(
    name: str, resolve: Resolve, tmp_path: Path
) -> None:
    here = settings(tmp_path / "data")
    first = resolve(here)
    file = tmp_path / "data" / name
    assert len(first) >= 32
    assert resolve(here) == first == file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in file.parent.iterdir()] == [name]


def test_is_not_looked_at_when_one_is_configured(name: str, resolve: Resolve, tmp_path: Path) -> None:
    assert resolve(settings(tmp_path / "data", **{name: LONG})) == LONG
    assert not (tmp_path / "data").exists()


def test_differs_between_installations_and_between_purposes(tmp_path: Path) -> None:
    made = {resolve(settings(tmp_path / place)) for place in "ab" for resolve in SECRETS.values()}
    assert len(made) == 4


@pytest.mark.parametrize("content", ["", "\n", "short"])
def test_is_refused_when_it_was_cut_short(name: str, resolve: Resolve, tmp_path: Path, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        resolve(settings(tmp_path))
    assert [variable for variable, _ in caught.value.problems] == [name.upper()]


def test_is_the_same_for_processes_that_start_together(name: str, resolve: Resolve, tmp_path: Path) -> None:
    code = (
        "from app.core.config import load_settings\nfrom app.core.kept_secrets import *\n"
        f"input(); print({resolve.__name__}(load_settings()))"
    )
    env = environment(f"sqlite:///{tmp_path}/data/bank.db", JWT_SECRET="", CARD_KEY="")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code], env=env, cwd=tmp_path, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for _ in range(4)
    ]  # fmt: skip
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    secrets = {process.communicate(timeout=60)[0] for process in processes}
    assert len(secrets) == 1
    assert len(secrets.pop().strip()) >= 32
    assert os.listdir(tmp_path / "data") == [name]


def test_is_refused_when_others_could_have_written_it(name: str, resolve: Resolve, tmp_path: Path) -> None:
    here = settings(tmp_path)
    resolve(here)
    (tmp_path / name).chmod(0o644)
    with pytest.raises(ConfigurationError, match=f"{name.upper()} .* not only yours"):
        resolve(here)
