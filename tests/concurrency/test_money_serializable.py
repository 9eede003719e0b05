"""The same races where PostgreSQL's default isolation is another one than usual."""

from collections.abc import Iterator

import psycopg
import pytest

from app.db.unit_of_work import Database
from tests.concurrency.test_close_race import test_a_closed_account_is_empty_whoever_wins  # noqa: F401 - run here as well
from tests.concurrency.test_idempotency_race import (  # noqa: F401 - run here as well
    test_fifty_requests_with_one_key_make_one_transfer,
)
from tests.concurrency.test_money import (  # noqa: F401 - run here as well
    test_a_whole_balance_is_spent_once,
    test_opposite_transfers_do_not_wait_for_each_other_in_a_ring,
    test_the_first_accounts_of_a_currency_open_together,
    test_two_hundred_deposits_of_one_are_two_hundred,
)
from tests.concurrency.test_transfers_race import (  # noqa: F401 - run here as well
    test_a_storm_of_transfers_leaves_what_the_clients_were_told,
)
from tests.conftest import postgresql_database


@pytest.fixture(params=["serializable"])
def database_url(request: pytest.FixtureRequest, postgresql_server: str) -> Iterator[str]:
    """A PostgreSQL database with this default isolation."""
    with postgresql_database(postgresql_server) as url:
        name = url.rpartition("/")[2].partition("?")[0]
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = '{request.param}'")
        yield url


def test_a_writer_waits_for_a_row_and_then_sees_it_as_it_is(db: Database) -> None:
    with db.engines.writer.connect() as connection:
        assert connection.exec_driver_sql("SHOW default_transaction_isolation").scalar() == "serializable"
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"
