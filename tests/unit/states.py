"""An account's state for tests that need no database."""

from typing import Any

from app.ledger.states import AccountState


def state(**changes: Any) -> AccountState:
    """An active account of `usr_ada` with 500 EUR cents, with changes."""
    values: dict[str, Any] = {
        "key": 1,
        "id": "acc_1",
        "number": "123",
        "owner_id": "usr_ada",
        "holder_id": "hdr_1",
        "kind": "checking",
        "currency": "EUR",
        "status": "active",
        "balance": 500,
        "held": 0,
        "overdraft_limit": 0,
        "unarranged": 0,
        "last_sequence": 0,
        "last_booked_at": 0,
        "version": 1,
    }
    return AccountState(**values | changes)
