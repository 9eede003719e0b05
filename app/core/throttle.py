"""Counts failures and says when to try again."""

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final

from app.core import clock

_MOST_KEYS: Final = 100_000
_IPV4: Final = 4
_SUBSCRIBER_BITS: Final = 64


@dataclass(slots=True)
class _Window:
    ends_at: float
    failures: int


def throttle_address(address: str | None) -> str | None:
    """Whom an address stands for: an IPv6 subscriber has a whole /64 to call from."""
    try:
        given = ip_address(address or "")
    except ValueError:
        return address
    if given.version == _IPV4:
        return address
    return str(ip_network((given, _SUBSCRIBER_BITS), strict=False))


class FailureThrottle:
    """At most `attempts` failures a key in a window of `seconds`; then a lock-out to its end.

    An attempt is counted before it is made and taken back when it succeeds, so that many at once
    cannot pass the limit together. Keys are (account, address) pairs: a flood from one address does
    not lock the account's owner out at another.
    """

    def __init__(self, attempts: int, seconds: float) -> None:
        self._attempts = attempts
        self._seconds = seconds
        self._windows: OrderedDict[tuple[str, str | None], _Window] = OrderedDict()

    def begin(self, key: tuple[str, str | None]) -> float | None:
        """Counts an attempt; or the seconds to wait, when there is no attempt left."""
        now = clock.monotonic()
        window = self._windows.get(key)
        if window is None or window.ends_at <= now:
            self._forget_old(now)
            window = self._windows[key] = _Window(now + self._seconds, 0)
            self._windows.move_to_end(key)
        if window.failures >= self._attempts:
            return window.ends_at - now
        window.failures += 1
        return None

    def succeed(self, key: tuple[str, str | None]) -> None:
        """The attempt was good: its window begins anew."""
        self._windows.pop(key, None)

    def give_back(self, key: tuple[str, str | None]) -> None:
        """The attempt could not be made at all: it does not count."""
        window = self._windows.get(key)
        if window is None:
            return
        window.failures -= 1
        if window.failures <= 0:
            del self._windows[key]

    def _forget_old(self, now: float) -> None:
        """Windows are kept in the order of their ends, so the old ones are in front.

        When there are too many all the same, a lock-out is the last thing to be forgotten.
        """
        while self._windows and next(iter(self._windows.values())).ends_at <= now:
            self._windows.popitem(last=False)
        if len(self._windows) >= _MOST_KEYS:
            windows = self._windows.items()
            harmless = (key for key, window in windows if window.failures < self._attempts)
            del self._windows[next(harmless, next(iter(self._windows)))]
