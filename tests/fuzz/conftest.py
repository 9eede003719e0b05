"""A real server that logs all it can, with a database of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.config import Settings
from tests.fuzz.remote import Remote
from tests.server import serving


@pytest.fixture
def remote(settings: Settings, tmp_path: Path) -> Iterator[Remote]:
    variables = {"LOG_LEVEL": "DEBUG", "LOGIN_ATTEMPTS": "1000"}
    with serving(settings.database_url, tmp_path, **variables) as server, Remote(server, settings) as client:
        yield client
        client.app.state.bank.close()
