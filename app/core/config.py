"""Settings: the only reader of the environment. It refuses to start when a value is wrong.

Each field is the environment variable of the same name in capitals. A field marked `Secret` can also
be given as `NAME_FILE`, the path of a file that holds it (Docker and systemd secrets). `.env` in the
working directory is read below the real environment; lines it does not know do no harm.
"""

import enum
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.core.setting_types import (
    OF_FILE,
    Amounts,
    FromFile,
    Networks,
    Secret,
    SecretFile,
    Secrets,
    TimeZone,
    Words,
    read_secret,
)

SHORTEST_SECRET = 32
# As browsers send it: lower case, no path, no user.
# An empty value is one that was left out; but these decide whose money it is, and where.
_NEVER_EMPTY: Final = ("APP_ENV", "DATABASE_URL")
_HOST: Final = re.compile(r"[a-z0-9.-]+|\[[0-9a-f:]+\]")
_ORIGIN: Final = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?")


class Environment(enum.StrEnum):
    """Where the service runs; staging and prod are strict."""

    DEV = "dev"
    TEST = "test"
    STAGING = "staging"
    PROD = "prod"

    @property
    def is_lenient(self) -> bool:
        """Whether conveniences that must never reach customers' money are allowed."""
        return self in (Environment.DEV, Environment.TEST)


class LogLevel(enum.StrEnum):
    """The least severe entry that is logged."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class ForcedPost(enum.StrEnum):
    """What becomes of a capture that comes too late."""

    REFUSE = "refuse"
    OVERDRAW = "overdraw"


def _is_strong(secret: SecretStr) -> bool:
    """Long enough, and text: bytes of the environment that are not UTF-8 come as lone surrogates."""
    text = secret.get_secret_value()
    return len(text) >= SHORTEST_SECRET and not any("\ud800" <= one <= "\udfff" for one in text)


class _SecretFiles(PydanticBaseSettingsSource):
    """Finds `NAME_FILE` for the fields that are secrets, in the environment or else in `.env`."""

    def __init__(self, settings_cls: type[BaseSettings], *layers: PydanticBaseSettingsSource) -> None:
        super().__init__(settings_cls)
        self._layers = [layer.env_vars for layer in layers if isinstance(layer, EnvSettingsSource)]

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        if any(isinstance(mark, FromFile) for mark in field.metadata):
            for layer in self._layers:
                path, value = layer.get(f"{field_name}_file"), layer.get(field_name)
                if path:
                    return SecretFile(path, is_doubled=value is not None), field_name, False
                if value:
                    break
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields.items()
        found = {name: self.get_field_value(field, name)[0] for name, field in fields}
        return {name: value for name, value in found.items() if value is not None}


class Settings(BaseSettings):
    """What an operator can choose. `docs/configuration.md` lists the same, checked by a test."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, enable_decoding=False, extra="ignore", frozen=True
    )

    app_env: Environment = Field(Environment.DEV, description="dev, test, staging or prod.")
    database_url: Annotated[str, BeforeValidator(read_secret), FromFile()] = Field(
        "sqlite:///./data/banking.db",
        repr=False,
        description="A SQLite file or a PostgreSQL server.",
    )
    log_level: LogLevel = Field(LogLevel.INFO, description="DEBUG, INFO, WARNING or ERROR.")
    jwt_secret: Secret = Field(
        SecretStr(""),
        validate_default=True,
        description="Signs access tokens: 32 characters or more. Staging and prod refuse to start "
        "without one; dev and test keep a random one beside the database.",
    )
    jwt_previous_secrets: Secrets = Field(
        [], description="Secrets that still verify, after a rotation; comma-separated."
    )
    card_key: Secret = Field(
        SecretStr(""),
        validate_default=True,
        description="Keys the fingerprints of card numbers: 32 characters or more, another than JWT_SECRET. "
        "Staging and prod refuse to start without one; dev and test keep a random one beside the database.",
    )
    card_iin: str = Field(
        "999999",
        pattern="^[0-9]{6,8}$",
        description="How card numbers begin: 6 to 8 digits. The default is no issuer's.",
    )
    cards_per_account: int = Field(
        20, ge=1, le=1000, description="How many cards an account may have that are not cancelled or expired."
    )
    access_token_minutes: int = Field(15, ge=1, le=1440, description="Life of an access token.")
    session_days: int = Field(30, ge=1, le=365, description="Life of a session: of its last refresh token.")
    session_cache_seconds: float = Field(
        2.0, ge=0, le=60, description="How old a customer's cached session state may be."
    )
    cors_origins: Words = Field([], description="Origins that browsers may call from; none unset.")
    allowed_hosts: Words = Field([], description="Host names that are answered; all when unset.")
    trusted_proxies: Networks = Field(
        [], description="Networks of proxies whose X-Forwarded-For is believed."
    )
    bank_timezone: TimeZone = Field(
        ZoneInfo("UTC"), description="The time zone of the bank's days and months."
    )
    bank_name: str = Field("", max_length=60, description="The bank's name on statements; none unset.")
    login_attempts: int = Field(
        10, ge=1, le=1000, description="Failed logins an (account, address) may have in a window."
    )
    login_window_seconds: int = Field(
        300, ge=1, le=86400, description="The length of that window; a lock-out lasts as long."
    )
    accounts_per_holder: int = Field(
        300, ge=1, le=1000, description="How many accounts a holder may open, closed ones included."
    )
    self_service_funding: bool | None = Field(
        None,
        description="Whether customers may deposit and withdraw by themselves; when unset, in dev and "
        "test only.",
    )
    daily_limits: Amounts = Field(
        {},
        description="The most that may leave an account on a day, such as EUR:500000,JPY:100000; "
        "no limit for other currencies.",
    )
    card_simulation: bool | None = Field(
        None,
        description="Whether owners may play the card network with their own cards; when unset, in dev and "
        "test only.",
    )
    card_capture_tolerance: int = Field(
        20, ge=0, le=100, description="How many percent above an authorisation may be captured."
    )
    card_forced_post: ForcedPost = Field(
        ForcedPost.REFUSE,
        description="What a capture after the end of its authorisation does: refuse, or overdraw if need be.",
    )
    hold_days: int = Field(7, ge=1, le=30, description="Life of a hold that is given no end of its own.")
    hash_workers: int = Field(2, ge=1, le=64, description="Threads that hash passwords.")
    read_workers: int = Field(4, ge=1, le=64, description="Threads and connections that read.")
    write_workers: int = Field(
        4, ge=1, le=64, description="Threads and connections that write, on PostgreSQL."
    )
    write_queue: int = Field(
        1000, ge=1, le=100_000, description="Writes that may wait; more are answered 503."
    )
    lock_timeout_seconds: float = Field(
        5.0, ge=0.1, le=10, description="How long a write waits for a lock before a 503."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        files = _SecretFiles(settings_cls, env_settings, dotenv_settings)
        return init_settings, files, env_settings, dotenv_settings

    @field_validator("database_url")
    @classmethod
    def _normalize_database_url(cls, value: str) -> str:
        try:
            url = make_url(value)
        except (ArgumentError, ValueError):
            raise ValueError("must be a database URL") from None
        if url.drivername in ("sqlite", "sqlite+pysqlite"):
            if url.query:
                raise ValueError("must be a plain path; options after ? are not taken for SQLite")
            if url.database in (None, "", ":memory:"):
                raise ValueError("must name a SQLite file; a ledger in memory is lost")
            return url.set(drivername="sqlite").render_as_string(hide_password=False)
        if url.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
            url = url.set(drivername="postgresql+psycopg")
            return url.render_as_string(hide_password=False)
        raise ValueError("must begin with sqlite:/// or postgresql://")

    @field_validator("jwt_secret", "card_key")
    @classmethod
    def _require_strong_secret(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        secret = value.get_secret_value()
        if not secret and info.data.get("app_env", Environment.PROD).is_lenient:
            return value
        if not secret:
            raise ValueError("is required in staging and prod")
        if not _is_strong(value):
            raise ValueError(f"must be text of {SHORTEST_SECRET} characters or more")
        return value

    @field_validator("card_key")
    @classmethod
    def _require_key_of_its_own(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        others = [info.data.get("jwt_secret"), *info.data.get("jwt_previous_secrets", [])]
        if value.get_secret_value() and value in others:
            raise ValueError("must not be a secret that signs tokens")
        return value

    @field_validator("jwt_previous_secrets")
    @classmethod
    def _require_strong_secrets(cls, value: list[SecretStr]) -> list[SecretStr]:
        if not all(_is_strong(secret) for secret in value):
            raise ValueError(f"must each be text of {SHORTEST_SECRET} characters or more")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _require_host_names(cls, value: list[str]) -> list[str]:
        if not all(_HOST.fullmatch(host.lower()) for host in value):
            raise ValueError("must be host names such as bank.example.com, without scheme or port")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _require_exact_origins(cls, value: list[str]) -> list[str]:
        if not all(_ORIGIN.fullmatch(origin) for origin in value):
            raise ValueError("must be exact origins such as https://app.example.com, never *")
        return value

    @property
    def customers_fund(self) -> bool:
        """Whether customers may deposit and withdraw by themselves."""
        if self.self_service_funding is None:
            return self.app_env.is_lenient
        return self.self_service_funding

    @property
    def owners_play_network(self) -> bool:
        """Whether owners may ask their own cards as the network does."""
        return self.app_env.is_lenient if self.card_simulation is None else self.card_simulation

    @property
    def url(self) -> URL:
        return make_url(self.database_url)

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def sqlite_path(self) -> Path:
        """The database file; only with SQLite."""
        return Path(self.url.database or "")

    @property
    def data_folder(self) -> Path:
        """Where generated secrets live: beside a SQLite database, else ./data."""
        return self.sqlite_path.parent if self.is_sqlite else Path("data")


class ConfigurationError(Exception):
    """The settings are wrong; `problems` has a (variable, reason) pair for each, never a value."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{variable} {reason}" for variable, reason in problems))


def load_settings(**overrides: Any) -> Settings:
    """Reads the environment; ConfigurationError names every variable that is wrong."""
    problems = [(name, "must not be empty") for name in _NEVER_EMPTY if os.environ.get(name) == ""]
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        problems += [
            (_variable(problem), _reason(problem["msg"]))
            for problem in error.errors(include_input=False, include_context=False)
        ]
    except UnicodeError:
        problems.append((".env", "must be UTF-8"))
    if problems:
        raise ConfigurationError(problems)
    return settings


def _variable(problem: Mapping[str, Any]) -> str:
    return str(problem["loc"][0]).upper() + ("_FILE" if problem["type"] == OF_FILE else "")


def _reason(message: str) -> str:
    """Pydantic's sentence as the end of "VARIABLE ...": `Input should be x` -> `should be x`."""
    return message.removeprefix("Value error, ").removeprefix("Input ")
