"""Identifiers: a prefix, `_`, and 26 Crockford base32 characters of a UUIDv7 (RFC 9562).

The same text is the id in the API, in the database and in the logs. Ids sort by the time they were
made, and within one process in the order they were made, so that index pages fill in order.
"""

import os
import threading
from datetime import datetime
from typing import Final

from app.core import clock

USER: Final = "usr"
SESSION: Final = "ses"
REQUEST: Final = "req"
AUDIT: Final = "adt"
HOLDER: Final = "hdr"
ACCOUNT: Final = "acc"
ENTRY: Final = "txn"
TRANSFER: Final = "trf"
GROUP: Final = "grp"
CARD: Final = "crd"
AUTHORIZATION: Final = "aut"
STATEMENT: Final = "stm"

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_CHARACTERS: Final = frozenset(_ALPHABET)
_LENGTH: Final = 26
# 2020-01-01T00:00:00Z in milliseconds; 41 bits last until 2089.
_KEY_EPOCH: Final = 1_577_836_800_000
AFTER_EVERY_KEY: Final = 2**63 - 1
# Ten bits that tell the processes of one service apart, by chance.
_PROCESS: Final = int.from_bytes(os.urandom(2)) & 0x3FF
_PAIRS: Final = [a + b for a in _ALPHABET for b in _ALPHABET]


class _Stamps:
    """Milliseconds (48 bits) and twelve bits of counter, strictly rising in this process.

    RFC 9562, section 6.2, methods 1 and 3: the sub-millisecond part seeds the counter, and a clock
    that stands still or steps back continues from the last value.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> int:
        micros = clock.to_micros(clock.now())
        stamp = (micros // 1000) << 12 | (micros % 1000) << 2
        with self._lock:
            self._last = stamp if stamp > self._last else self._last + 1
            return self._last


class _Chance:
    """Random numbers of 64 bits, fetched from the system by the hundred: a call for each costs a transfer."""

    _BYTES: Final = 4096

    def __init__(self) -> None:
        self._ready: list[int] = []
        # The child of a fork would draw the numbers of its parent.
        os.register_at_fork(after_in_child=self._ready.clear)

    def next(self) -> int:
        while True:
            try:
                return self._ready.pop()
            except IndexError:
                self._ready.extend(memoryview(os.urandom(self._BYTES)).cast("Q"))


_stamps: Final = _Stamps()
_chance: Final = _Chance()


def new_id(prefix: str) -> str:
    """A new identifier such as `usr_01kb...`: 48 bits of milliseconds, 12 of counter, 62 random."""
    stamp = _stamps.next()
    head = stamp >> 12
    tail = 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62 | _chance.next() >> 2
    # Written out, because ids are a good part of what a transfer costs.
    return (
        f"{prefix}_{_PAIRS[head >> 40]}{_PAIRS[head >> 30 & 0x3FF]}{_PAIRS[head >> 20 & 0x3FF]}"
        f"{_PAIRS[head >> 10 & 0x3FF]}{_PAIRS[head & 0x3FF]}"
        f"{_PAIRS[tail >> 70]}{_PAIRS[tail >> 60 & 0x3FF]}{_PAIRS[tail >> 50 & 0x3FF]}"
        f"{_PAIRS[tail >> 40 & 0x3FF]}{_PAIRS[tail >> 30 & 0x3FF]}{_PAIRS[tail >> 20 & 0x3FF]}"
        f"{_PAIRS[tail >> 10 & 0x3FF]}{_PAIRS[tail & 0x3FF]}"
    )


def is_id(prefix: str, value: str) -> bool:
    """Whether `value` has the form of an identifier of this kind; case-sensitive.

    Anything that reaches a database as an id passes here first, so that malformed text (NUL, other
    scripts, megabytes) is "not found" before it is SQL.
    """
    head, _, tail = value.partition("_")
    return head == prefix and len(tail) == _LENGTH and tail[0] <= "7" and _CHARACTERS.issuperset(tail)


def twin(prefix: str, value: str, *, of: str) -> str:
    """The id of another kind that is otherwise the same; no id where `value` is none of kind `of`."""
    return f"{prefix}_{value.partition('_')[2]}" if is_id(of, value) else ""


def new_key() -> int:
    """An internal integer key of 63 bits that sorts by time: milliseconds since 2020, then chance.

    Made by the application, so that rows which refer to each other are written without asking the
    database in between; small integers keep the indexes of the ledger small. Two processes that draw
    the same number in the same millisecond meet the primary key, and the batch runs again.
    """
    stamp = _stamps.next()
    millis = (stamp >> 12) - _KEY_EPOCH
    return millis << 22 | (stamp & 0xFFF) << 10 | _PROCESS


def first_key_at(instant: datetime) -> int:
    """No key made at this instant or later is smaller."""
    return (clock.to_micros(instant) // 1000 - _KEY_EPOCH) << 22


def is_any_id(value: str) -> bool:
    """Whether `value` has the form of an identifier of some kind."""
    return is_id(value.partition("_")[0], value)
