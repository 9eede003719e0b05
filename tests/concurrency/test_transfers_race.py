"""Random transfers of many threads: refusals, replays, opposite directions."""

from concurrent.futures import ThreadPoolExecutor

import psycopg

from app.core.config import Settings
from tests import scratch
from tests.bank import customer, rows
from tests.client import ApiClient
from tests.concurrency import storm
from tests.record import seed
from tests.server import eventually


def test_a_storm_of_transfers_leaves_what_the_clients_were_told(places: list[ApiClient]) -> None:
    transfers = storm.gather(places[0], places)
    transfers.blow(300, seed=seed())
    transfers.assert_done_once(places[0])


@scratch.ONLY_POSTGRESQL
def test_accounts_are_locked_in_the_order_of_their_keys(client: ApiClient, settings: Settings) -> None:
    name = settings.url.database
    with psycopg.connect(scratch.psycopg_url(settings), autocommit=True) as admin:
        for way in ("enable_indexscan", "enable_bitmapscan"):
            admin.execute(f"ALTER DATABASE {name} SET {way} = off")
    first, last = customer(client, money=10), customer(client, "bob", money=10)
    # The row that must be locked first is now the last one that a scan of the table meets.
    assert first.person.patch(f"/v1/accounts/{first.id}", json={"nickname": "moved"}).status_code == 200
    lock = "SELECT 1 FROM accounts WHERE id = '{}' FOR UPDATE"
    with (
        ThreadPoolExecutor(1) as pool,
        scratch.other_writer(settings, lock.format(first.id)),
        psycopg.connect(scratch.psycopg_url(settings)) as other,
    ):
        sent = pool.submit(last.pay, first, 1)
        eventually(lambda: rows(client.db, scratch.WAITING) == [(1,)])
        # What waits for the first account does not hold the last one yet.
        other.execute(f"{lock.format(last.id)} NOWAIT")
    assert sent.result().status_code == 201
