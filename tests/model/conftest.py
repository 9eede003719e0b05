"""A new bank for each history, on each database."""

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.core import clock
from tests.client import ApiClient, running
from tests.conftest import BACKENDS, postgresql_database, settings_for
from tests.model.draws import LIMITS
from tests.model.proof import Proof


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def started(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Starts a bank with an empty database, which is gone afterwards."""
    numbers = itertools.count()
    # A history is over before the day of the bank is.
    policy = {
        "daily_limits": ",".join(f"{currency}:{limit}" for currency, limit in LIMITS.items()),
        "bank_timezone": "UTC" if clock.now().hour < 12 else "Etc/GMT+12",
        "rate_limit_enabled": False,
        "cards_per_account": 1000,
        # A history that waits outlives a shorter one.
        "access_token_minutes": 1440,
    }

    @contextmanager
    def on_sqlite() -> Iterator[ApiClient]:
        folder = tmp_path / f"bank {next(numbers)}"
        folder.mkdir(mode=0o700)
        shutil.copy(template, folder / "bank.db")
        with running(settings_for(f"sqlite:///{folder / 'bank.db'}", **policy)) as client:
            yield client
        shutil.rmtree(folder)

    @contextmanager
    def on_postgresql() -> Iterator[ApiClient]:
        with postgresql_database(server) as url, running(settings_for(url, **policy)) as client:
            yield client

    if backend == "sqlite":
        template = request.getfixturevalue("sqlite_template")
        return on_sqlite
    server = request.getfixturevalue("postgresql_server")
    return on_postgresql


@pytest.fixture
def proof(backend: str, record_property: Any) -> Iterator[Proof]:
    made = Proof(backend)
    yield made
    if not made.is_short:
        record_property("proof", str(made))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What `make prove` has compared, also when it ran in other processes."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "proof" and report.when == "teardown":
                    terminalreporter.write_line(value)
