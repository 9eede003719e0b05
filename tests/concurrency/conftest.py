"""Several services on one database, as far as the database can tell."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from app.core.config import Settings
from tests.client import ApiClient, running


@pytest.fixture(params=[1, 2], ids=["one service", "two services"])
def places(request: pytest.FixtureRequest, settings: Settings) -> Iterator[list[ApiClient]]:
    """Where a request may go: one service, or two that share only the database."""
    with ExitStack() as stack:
        yield [stack.enter_context(running(settings)) for _ in range(request.param)]
