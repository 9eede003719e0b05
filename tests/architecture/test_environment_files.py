"""The environment files load; those for strict environments refuse to until a secret is filled in."""

import re
from pathlib import Path

import pytest

from app.core.config import ConfigurationError, Environment, Settings, load_settings
from tests.architecture.documents import ROOT, read

STRICT = ("config/staging.env.example", "config/prod.env.example")
LENIENT = ("config/dev.env", "config/test.env")
LINE = re.compile(r"^(?:# )?([A-Z][A-Z_]+)=(.*)$", re.M)


def load(path: str | Path, **overrides: str) -> Settings:
    return load_settings(_env_file=ROOT / path, **overrides)


@pytest.mark.parametrize("path", LENIENT)
def test_a_lenient_environment_loads_as_it_is(path: str) -> None:
    settings = load(path)
    assert settings.app_env == Path(path).name.split(".")[0]
    assert settings.is_sqlite
    assert not settings.jwt_secret.get_secret_value()
    assert not settings.card_key.get_secret_value()


@pytest.mark.parametrize("path", STRICT)
def test_a_strict_environment_is_refused_without_its_secrets_and_only_for_that(path: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(path)
    assert [variable for variable, _ in refused.value.problems] == ["JWT_SECRET", "CARD_KEY"]


@pytest.mark.parametrize("path", STRICT)
def test_a_strict_environment_loads_once_it_has_its_secrets(path: str) -> None:
    filled_in = "filled in by an operator, 32 or more"
    settings = load(path, jwt_secret=filled_in, card_key=f"{filled_in}, too")
    assert settings.app_env == Path(path).name.split(".")[0]
    assert not Environment(settings.app_env).is_lenient
    assert not settings.is_sqlite
    assert settings.allowed_hosts
    assert settings.trusted_proxies


@pytest.mark.parametrize("path", STRICT)
def test_a_strict_environment_loads_with_its_secrets_in_files(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("JWT_SECRET", "CARD_KEY"):
        (tmp_path / name).write_text(f"{name}, kept in a file by an operator, 32 or more\n")
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / name))
    settings = load(path)
    for name, secret in (("JWT_SECRET", settings.jwt_secret), ("CARD_KEY", settings.card_key)):
        assert secret.get_secret_value() == (tmp_path / name).read_text().strip()


@pytest.mark.parametrize("path", [*LENIENT, *STRICT])
def test_an_environment_file_names_only_settings_and_holds_no_secret(path: str) -> None:
    lines = dict(LINE.findall(read(path)))
    assert set(lines) <= {name.upper() for name in Settings.model_fields}
    assert not [name for name, value in lines.items() if ("SECRET" in name or name == "CARD_KEY") and value]
    assert not re.search(r"://[^/\s]*:[^/\s]*@", read(path))


def test_the_example_lists_every_setting_once() -> None:
    names = [name for name, _ in LINE.findall(read(".env.example"))]
    assert names == [name.upper() for name in Settings.model_fields]


def test_copying_the_example_changes_nothing() -> None:
    assert load(".env.example") == load_settings(_env_file=None)


def test_the_example_shows_the_defaults(tmp_path: Path) -> None:
    shown = tmp_path / ".env"
    shown.write_text("\n".join(f"{name}={value}" for name, value in LINE.findall(read(".env.example"))))
    assert load(shown) == load_settings(_env_file=None)
