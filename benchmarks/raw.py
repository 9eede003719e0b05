"""SQLite by itself, in one process: the rows of a transfer without HTTP, login or an ORM.

`python -m benchmarks.raw FILE BATCH SECONDS` prints how many transfers a second were committed.
"""

import random
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from app.db.session import sqlite_driver

_PRAGMAS: Final = ("foreign_keys = ON", "synchronous = FULL", "wal_autocheckpoint = 4000")
_LOOK: Final = (
    "SELECT key, balance - held + overdraft_limit, balance, last_sequence, last_booked_at, owner_id "
    "FROM accounts WHERE status = 'active' AND key IN ({})"
)
_TRANSFER: Final = (
    "INSERT INTO transfers (key, id, kind, status, source_key, destination_key, amount, currency, "
    "initiated_by, created_at, booked_at, remaining, source_balance, source_held, source_available) "
    "VALUES (?, ?, 'transfer', 'posted', ?, ?, 1, 'EUR', ?, ?, ?, 0, ?, 0, ?)"
)
_ENTRY: Final = (
    "INSERT INTO entries (account_key, sequence, id, transfer_key, amount, balance_after, booked_at, "
    "value_date) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_KEY: Final = (
    "INSERT INTO idempotency_keys (caller, key, fingerprint, status, location, created_at) "
    "VALUES (?, ?, ?, 201, ?, ?)"
)
_ACCOUNT: Final = (
    "UPDATE accounts SET balance = ?, last_sequence = ?, last_booked_at = ?, version = version + 1 "
    "WHERE key = ?"
)
_DIGEST: Final = bytes(32)


class Raw:
    """Transfers of 1 between random accounts, a batch a transaction."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite_driver.connect(file, isolation_level=None)
        for pragma in _PRAGMAS:
            self._connection.execute(f"PRAGMA {pragma}")
        accounts = self._connection.execute("SELECT key FROM accounts WHERE holder_id IS NOT NULL")
        self._accounts = [key for (key,) in accounts]
        self._number = self._connection.execute("SELECT max(key) FROM transfers").fetchone()[0]
        self._day = datetime.now(UTC).date().isoformat()

    def post(self, batch: int) -> None:
        """Commits one batch, each transfer checked against the accounts as those before have left them."""
        pairs = [self._pair() for _ in range(batch)]
        numbers = range(self._number + 1, self._number + batch + 1)
        self._number += batch
        self._connection.execute("BEGIN IMMEDIATE")
        states = self._states(pairs)
        self._refuse_used(
            [(states[source][5], f"raw-{n}") for (source, _), n in zip(pairs, numbers, strict=True)]
        )
        rows = [self._move(states, pair, number) for pair, number in zip(pairs, numbers, strict=True)]
        for statement, position in ((_TRANSFER, 0), (_ENTRY, 1), (_ENTRY, 2), (_KEY, 3)):
            self._connection.executemany(statement, [row[position] for row in rows])
        changes = [(state[2], state[3], state[4], key) for key, state in states.items()]
        self._connection.executemany(_ACCOUNT, changes)
        self._connection.execute("COMMIT")

    def _pair(self) -> tuple[int, int]:
        source, destination = random.sample(self._accounts, 2)
        return source, destination

    def _states(self, pairs: list[tuple[int, int]]) -> dict[int, list[Any]]:
        keys = {key for pair in pairs for key in pair}
        found = self._connection.execute(_LOOK.format(", ".join("?" * len(keys))), tuple(keys))
        return {row[0]: list(row) for row in found}

    def _refuse_used(self, keys: list[tuple[str, str]]) -> None:
        marks = ", ".join(["(?, ?)"] * len(keys))
        look = f"SELECT count(*) FROM idempotency_keys WHERE (caller, key) IN (VALUES {marks})"  # noqa: S608
        assert self._connection.execute(look, [part for key in keys for part in key]).fetchone() == (0,)

    def _move(
        self, states: dict[int, list[Any]], pair: tuple[int, int], number: int
    ) -> tuple[tuple[Any, ...], ...]:
        source, destination = states[pair[0]], states[pair[1]]
        assert source[1] >= 1, "there are funds"
        booked = max(time.time_ns() // 1000, source[4] + 1, destination[4] + 1)
        identity = f"trf_{number:026}"
        entries = []
        for state, amount in ((source, -1), (destination, 1)):
            state[1] += amount
            state[2] += amount
            state[3] += 1
            state[4] = booked
            name = f"txn_{number * 2 + (amount > 0):026}"
            entries.append((state[0], state[3], name, number, amount, state[2], booked, self._day))
        caller = source[5]
        transfer = (number, identity, *pair, caller, booked, booked, source[2], source[1])
        key = (caller, f"raw-{number}", _DIGEST, f"/v1/transfers/{identity}", booked)
        return transfer, *entries, key

    def close(self) -> None:
        self._connection.close()


def measure(file: Path, batch: int, seconds: float) -> float:
    """Transfers a second."""
    raw = Raw(file)
    begin = time.perf_counter()
    done = 0
    while time.perf_counter() < begin + seconds:
        raw.post(batch)
        done += batch
    took = time.perf_counter() - begin
    raw.close()
    return done / took


if __name__ == "__main__":
    print(measure(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
