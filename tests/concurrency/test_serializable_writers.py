"""Writers under SERIALIZABLE give up more often, and are right all the same.

Decision 0004 says why the service does not run so; a distributed database may know no other level.
`make serializable` runs the other tests like this.
"""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.core.config import Settings
from app.core.errors import LockTimeout
from app.db import session
from app.db.unit_of_work import Database
from tests import isolation, scratch
from tests.bank import TRANSFERS, assert_right, customer
from tests.client import error_of, running

pytestmark = scratch.ONLY_POSTGRESQL


@pytest.fixture(autouse=True)
def _serializable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "create_engine", isolation.engines_at("SERIALIZABLE"))


def test_what_gives_up_has_done_nothing_and_the_rest_is_counted(settings: Settings) -> None:
    db = Database(settings)
    with db.engines.writer.connect() as connection:
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "serializable"
    scratch.create(db)
    db.run_write(scratch.add, 1)

    def increment(_: int) -> str:
        try:
            db.run_write(scratch.increment, 1)
        except LockTimeout:
            return "gave up"
        return "done"

    with ThreadPoolExecutor(4) as pool:
        told = Counter(pool.map(increment, range(200)))
    assert db.run_read(scratch.count, 1) == told["done"] > 0
    db.close()


def test_payments_over_two_services_are_made_once_or_refused(settings: Settings) -> None:
    with running(settings) as one, running(settings) as two:
        ada, bob = customer(one, money=1000), customer(one, "bob", money=1000)

        def pay(number: int) -> int:
            payer, payee = (ada, bob) if number % 2 else (bob, ada)
            spot = payer.at((one, two)[number // 2 % 2])
            key = f"key {number}"
            # Whoever is refused asks again with the same key, as a client does.
            for _ in range(50):
                answer = spot.post(TRANSFERS, payer.payment(payee, number), key)
                if answer.status_code == 201:
                    return number if payer is ada else -number
                error_of(answer, 503, "lock_timeout")
            raise AssertionError("it never went through")

        with ThreadPoolExecutor(8) as pool:
            moved = sum(pool.map(pay, range(1, 21)))
        assert (ada.balance(), bob.balance()) == (1000 - moved, 1000 + moved)
        assert_right(one.db)
