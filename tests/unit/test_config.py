import os
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.config import ConfigurationError, Settings, load_settings

LONG = "x" * 32
KEY = "k" * 32
SECRETS = ("JWT_SECRET", "CARD_KEY")
ENVIRONMENTS = ("dev", "test", "staging", "prod")


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Settings]:
    """Loads the settings in an empty folder, from these variables alone."""
    monkeypatch.chdir(tmp_path)

    def with_variables(**variables: str) -> Settings:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return load_settings()

    return with_variables


def problems(load: Callable[..., Settings], **variables: str) -> dict[str, str]:
    with pytest.raises(ConfigurationError) as caught:
        load(**variables)
    return dict(caught.value.problems)


def test_nothing_set_is_a_development_service_on_sqlite(load: Callable[..., Settings]) -> None:
    settings = load()
    assert settings.app_env == "dev"
    assert settings.database_url == "sqlite:///./data/banking.db"
    assert settings.cors_origins == []
    assert settings.jwt_secret.get_secret_value() == ""


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_environment_starts_with_a_secret_of_32_characters(
    load: Callable[..., Settings], name: str
) -> None:
    assert load(APP_ENV=name, JWT_SECRET=LONG, CARD_KEY=KEY).app_env == name


@pytest.mark.parametrize("name", ["production", "PROD", "Dev", "local", "prod ", "."])
def test_an_unknown_environment_is_refused(load: Callable[..., Settings], name: str) -> None:
    assert "APP_ENV" in problems(load, APP_ENV=name, JWT_SECRET=LONG)


@pytest.mark.parametrize("name", ["staging", "prod"])
@pytest.mark.parametrize("secret", ["", "x", "x" * 31])
@pytest.mark.parametrize("variable", SECRETS)
def test_staging_and_prod_refuse_a_missing_or_short_secret(
    load: Callable[..., Settings], name: str, variable: str, secret: str
) -> None:
    given = dict(zip(SECRETS, (LONG, KEY), strict=True)) | {variable: secret}
    assert list(problems(load, APP_ENV=name, **given)) == [variable]


@pytest.mark.parametrize("name", ["dev", "test"])
def test_a_short_secret_is_refused_even_where_none_is_needed(
    load: Callable[..., Settings], name: str
) -> None:
    for variable in SECRETS:
        assert variable in problems(load, APP_ENV=name, **{variable: "x" * 31})


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_what_signs_tokens_or_did_is_no_key_for_cards(load: Callable[..., Settings], name: str) -> None:
    said = problems(load, APP_ENV=name, JWT_SECRET=LONG, CARD_KEY=LONG)
    assert said == {"CARD_KEY": "must not be a secret that signs tokens"}
    said = problems(load, APP_ENV=name, JWT_SECRET=LONG, JWT_PREVIOUS_SECRETS=KEY, CARD_KEY=KEY)
    assert list(said) == ["CARD_KEY"]


@pytest.mark.parametrize("iin", ["99999", "999999999", "99999a", "٩٩٩٩٩٩", "999999\n", "-99999"])
def test_an_issuer_is_six_to_eight_digits(load: Callable[..., Settings], iin: str) -> None:
    assert list(problems(load, CARD_IIN=iin)) == ["CARD_IIN"]


WRONG = {
    "DATABASE_URL": "mysql://x",
    "LOG_LEVEL": "loud",
    "JWT_SECRET": "short",
    "JWT_PREVIOUS_SECRETS": f"{LONG},short",
    "CARD_KEY": "short",
    "CARD_IIN": "12345",
    "CARDS_PER_ACCOUNT": "0",
    "ACCESS_TOKEN_MINUTES": "0",
    "SESSION_DAYS": "many",
    "SESSION_CACHE_SECONDS": "nan",
    "CORS_ORIGINS": "*",
    "TRUSTED_PROXIES": "everybody",
    "BANK_TIMEZONE": "Mars/Olympus",
    "LOGIN_ATTEMPTS": "-1",
    "LOGIN_WINDOW_SECONDS": "1.5",
    "HASH_WORKERS": "1000",
    "READ_WORKERS": "",
    "WRITE_WORKERS": "0",
    "WRITE_QUEUE": "1e3",
    "LOCK_TIMEOUT_SECONDS": "inf",
}


def test_every_wrong_variable_is_named_at_once(load: Callable[..., Settings]) -> None:
    assert set(problems(load, APP_ENV="nowhere", **WRONG)) == {"APP_ENV", *WRONG} - {"READ_WORKERS"}


@pytest.mark.parametrize(
    "variable", sorted(set(WRONG) - {"READ_WORKERS", "TRUSTED_PROXIES", "BANK_TIMEZONE"})
)
def test_a_reason_never_holds_the_value(load: Callable[..., Settings], variable: str) -> None:
    value = "canary" * 3
    said = problems(load, **{variable: value})
    assert list(said) == [variable]
    assert "canary" not in str(said)


@pytest.mark.parametrize(
    "value",
    [
        "*",
        "https://app.test/",
        "https://app.test/path",
        "https://",
        "https://*.app.test",
        "https://user@app.test",
        "https://APP.test",
        "ftp://app.test",
        "app.test",
        "null",
        "https://app.test, *",
    ],
)
def test_origins_must_be_exact(load: Callable[..., Settings], value: str) -> None:
    assert list(problems(load, CORS_ORIGINS=value)) == ["CORS_ORIGINS"]


def test_lists_are_comma_separated(load: Callable[..., Settings]) -> None:
    settings = load(
        CORS_ORIGINS="https://app.test, http://[::1]:3000",
        ALLOWED_HOSTS="bank.test,,",
        TRUSTED_PROXIES="10.0.0.0/8, 2001:db8::1",
    )
    assert settings.cors_origins == ["https://app.test", "http://[::1]:3000"]
    assert settings.allowed_hosts == ["bank.test"]
    assert [str(one) for one in settings.trusted_proxies] == ["10.0.0.0/8", "2001:db8::1/128"]


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql+psycopg://u:p%40x@h/d", "postgresql+psycopg://u:p%40x@h/d"),
        ("sqlite:////srv/b.db", "sqlite:////srv/b.db"),
        ("sqlite+pysqlite:///b.db", "sqlite:///b.db"),
    ],
)
def test_database_urls_are_normalized(load: Callable[..., Settings], given: str, used: str) -> None:
    assert load(DATABASE_URL=given).database_url == used


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://h/d", "bank.db", "postgresql+asyncpg://h/d"]
)
def test_other_databases_are_refused(load: Callable[..., Settings], url: str) -> None:
    assert list(problems(load, DATABASE_URL=url)) == ["DATABASE_URL"]


def test_settings_do_not_show_their_secrets(load: Callable[..., Settings]) -> None:
    settings = load(
        JWT_SECRET="canary" * 6,
        JWT_PREVIOUS_SECRETS="canary" * 6,
        CARD_KEY="canary" * 7,
        DATABASE_URL="postgresql://u:canary@h/d",
    )
    assert "canary" not in repr(settings) + str(settings)


class TestSecretFiles:
    def test_a_secret_is_read_from_its_file(self, load: Callable[..., Settings], tmp_path: Path) -> None:
        (tmp_path / "cards").write_text(f"{KEY}\n")
        (tmp_path / "jwt").write_text(f"{LONG}\n")
        (tmp_path / "old").write_text(f"{'y' * 32}\n{'z' * 32}\n")
        (tmp_path / "url").write_text("postgresql://h/d\r\n")
        settings = load(
            APP_ENV="prod",
            JWT_SECRET_FILE="jwt",
            CARD_KEY_FILE="cards",
            JWT_PREVIOUS_SECRETS_FILE=str(tmp_path / "old"),
            DATABASE_URL_FILE="url",
        )
        assert settings.jwt_secret.get_secret_value() == LONG
        assert settings.card_key.get_secret_value() == KEY
        assert [one.get_secret_value()[0] for one in settings.jwt_previous_secrets] == ["y", "z"]
        assert settings.database_url == "postgresql+psycopg://h/d"

    def test_a_file_may_be_named_in_dot_env(self, load: Callable[..., Settings], tmp_path: Path) -> None:
        (tmp_path / "url").write_text("sqlite:///elsewhere.db")
        (tmp_path / ".env").write_text("DATABASE_URL_FILE=url\n")
        assert load().database_url == "sqlite:///elsewhere.db"

    def test_the_environment_wins_over_dot_env_in_either_form(
        self, load: Callable[..., Settings], tmp_path: Path
    ) -> None:
        (tmp_path / "jwt").write_text("f" * 32)
        (tmp_path / ".env").write_text(f"JWT_SECRET={'e' * 32}\nDATABASE_URL_FILE=nowhere\n")
        settings = load(JWT_SECRET_FILE="jwt", DATABASE_URL="sqlite:///b.db")
        assert settings.jwt_secret.get_secret_value() == "f" * 32
        assert settings.database_url == "sqlite:///b.db"

    @pytest.mark.parametrize(
        ("content", "reason"),
        [(None, "FileNotFoundError"), (b"", "empty"), (b"\n", "empty"), (b"\xff" * 40, "UnicodeDecodeError")],
    )
    def test_a_file_that_gives_no_secret_is_named_beside_the_other_problems(
        self, load: Callable[..., Settings], tmp_path: Path, content: bytes | None, reason: str
    ) -> None:
        if content is not None:
            (tmp_path / "jwt").write_bytes(content)
        said = problems(load, APP_ENV="prod", JWT_SECRET_FILE="jwt", CARD_KEY=KEY, HASH_WORKERS="0")
        assert set(said) == {"JWT_SECRET_FILE", "HASH_WORKERS"}
        assert reason in said["JWT_SECRET_FILE"]

    def test_a_short_secret_in_a_file_is_refused(self, load: Callable[..., Settings], tmp_path: Path) -> None:
        (tmp_path / "jwt").write_text("short")
        assert list(problems(load, JWT_SECRET_FILE="jwt")) == ["JWT_SECRET"]

    def test_both_forms_at_once_are_refused(self, load: Callable[..., Settings], tmp_path: Path) -> None:
        (tmp_path / "jwt").write_text(LONG)
        said = problems(load, JWT_SECRET_FILE="jwt", JWT_SECRET=LONG)
        assert said == {"JWT_SECRET_FILE": "is set beside the variable"}

    def test_empty_variables_count_as_unset(self, load: Callable[..., Settings]) -> None:
        settings = load(JWT_SECRET_FILE="", JWT_SECRET="", DATABASE_URL_FILE="", HASH_WORKERS="")
        assert settings.hash_workers == 2

    def test_what_is_no_secret_has_no_file_form(self, load: Callable[..., Settings]) -> None:
        assert load(LOG_LEVEL_FILE="nowhere").log_level == "INFO"


def test_lines_of_dot_env_that_are_not_ours_do_no_harm(load: Callable[..., Settings], tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "COMPOSE_PROJECT_NAME=x\n# a note\nexport HASH_WORKERS=3\nnonsense\nAPP_ENV=test\n"
    )
    settings = load()
    assert (settings.app_env, settings.hash_workers) == ("test", 3)


def test_a_secret_that_is_not_text_is_told_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", os.fsdecode(b"\xff" * 40))
    with pytest.raises(ConfigurationError, match="JWT_SECRET must be text"):
        load_settings(_env_file=None)


@pytest.mark.parametrize("variable", ["APP_ENV", "DATABASE_URL"])
def test_what_decides_whose_money_it_is_may_not_be_empty(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "")
    with pytest.raises(ConfigurationError, match=f"{variable} must not be empty"):
        load_settings(_env_file=None)


@pytest.mark.parametrize("hosts", ["*", "https://a.b", "a.b:443", "a b", "a/b"])
def test_a_host_is_a_bare_name(load: Callable[..., Settings], hosts: str) -> None:
    assert list(problems(load, ALLOWED_HOSTS=hosts)) == ["ALLOWED_HOSTS"]


@pytest.mark.parametrize(
    "url", ["sqlite:///b.db?mode=memory", "sqlite+aiosqlite:///b.db", "postgresql://h:abc/x"]
)
def test_a_database_url_says_nothing_that_is_ignored(load: Callable[..., Settings], url: str) -> None:
    said = problems(load, DATABASE_URL=url)
    assert list(said) == ["DATABASE_URL"]
    assert "abc" not in str(said)
