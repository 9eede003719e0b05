"""Several services on one database, as far as the database can tell."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from app.core.config import Settings
from tests.client import ApiClient, races, running
from tests.record import record, seed


def pytest_sessionfinish() -> None:
    """Each worker tells how many races it held."""
    if held := next(races):
        record("races", races=held, seed=seed())


@pytest.fixture(params=[1, 2], ids=["one service", "two services"])
def places(request: pytest.FixtureRequest, settings: Settings) -> Iterator[list[ApiClient]]:
    """Where a request may go: one service, or two that share only the database."""
    with ExitStack() as stack:
        yield [stack.enter_context(running(settings)) for _ in range(request.param)]
