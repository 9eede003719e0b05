"""The load generator: one epoll loop over keep-alive connections, with requests made beforehand.

Closed loop: each client sends its next request when the last one is answered. Constant rate: every
request has an instant at which it is to be sent, and its latency counts from that instant, whether a
connection was free then or not (no coordinated omission).
"""

import gc
import re
import select
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from benchmarks.figures import intended

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
_READ: Final = 1 << 18
# A request that leaves this much after its instant is late.
_PUNCTUAL: Final = 0.001
# Answers may be outstanding this long after the end.
_PATIENCE: Final = 30.0


class Request(NamedTuple):
    """Bytes to send; the answer must have this status, and this text somewhere in it."""

    data: bytes
    kind: str
    status: bytes
    proof: bytes = b""


@dataclass
class Stream:
    """Clients that share a supply of requests. `rate` is requests a second; None: the closed loop."""

    requests: Iterator[Request]
    clients: int
    rate: float | None = None


@dataclass
class Outcome:
    """What was measured, in seconds and by kind of request, and everything that was answered at all."""

    seconds: float
    latencies: dict[str, list[float]] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    unexpected: Counter[str] = field(default_factory=Counter)
    # Of a constant rate: sent after their instant; not sent before the end.
    late: int = 0
    dropped: int = 0


class _Connection:
    __slots__ = ("began", "buffer", "request", "socket", "supply", "unsent")

    def __init__(self, port: int, supply: "_Supply") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.supply = supply
        self.request: Request | None = None
        self.began = 0.0
        self.buffer = b""
        self.unsent = b""


class _Supply:
    """A stream under way: its next request, and for a constant rate when that is due."""

    def __init__(self, stream: Stream, port: int) -> None:
        self.requests = stream.requests
        self.paced = stream.rate is not None
        self.due = 0.0
        self.idle = [_Connection(port, self) for _ in range(stream.clients)]
        self._rate = stream.rate
        self._instants: Iterator[float] = iter(())

    def begin(self, now: float) -> None:
        if self._rate is not None:
            self._instants = (now + instant for instant in intended(self._rate))
            self.advance()

    def advance(self) -> None:
        self.due = next(self._instants)


def run(
    port: int,
    streams: Sequence[Stream],
    seconds: float,
    warm_up: float = 0.0,
) -> Outcome:
    """Sends the streams to 127.0.0.1:port. What comes in the warm-up is answered but not measured.

    It ends after the time, or when all requests are answered. Raises ConnectionError when the server
    hangs up.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    load = _Load(port, streams, seconds, warm_up)
    try:
        return load.run()
    finally:
        load.close()
        gc.enable()
        gc.unfreeze()


def is_missing(port: int, request: Request) -> bool:
    """Whether the server has no such endpoint: 404, or 405 where the path is one of another method."""
    answers = run(port, [Stream(iter((request,)), 1)], _PATIENCE).answers
    return {answer.rpartition(" ")[2] for answer in answers} <= {"404", "405"}


class _Load:
    def __init__(self, port: int, streams: Sequence[Stream], seconds: float, warm_up: float) -> None:
        self._epoll = select.epoll()
        self._in_flight = 0
        self._outcome = Outcome(seconds)
        self._supplies = [_Supply(stream, port) for stream in streams]
        connections = [connection for supply in self._supplies for connection in supply.idle]
        self._by_number = {connection.socket.fileno(): connection for connection in connections}
        for number in self._by_number:
            self._epoll.register(number, select.EPOLLIN)
        begin = time.perf_counter()
        self._from = begin + warm_up
        self._until = self._from + seconds
        for supply in self._supplies:
            supply.begin(begin)

    def close(self) -> None:
        for connection in self._by_number.values():
            connection.socket.close()
        self._epoll.close()

    def run(self) -> Outcome:
        self._begin()
        while self._in_flight or self._is_waiting():
            for number, event in self._epoll.poll(self._pause()):
                connection = self._by_number[number]
                if event & select.EPOLLOUT:
                    self._send(connection, connection.unsent)
                else:
                    self._receive(connection)
            self._send_what_is_due()
            if self._in_flight and time.perf_counter() > self._until + _PATIENCE:
                self._outcome.unexpected["no answer"] += self._in_flight
                break
        self._count_dropped()
        return self._outcome

    def _begin(self) -> None:
        for supply in self._supplies:
            while not supply.paced and supply.idle:
                self._next(supply.idle.pop(), time.perf_counter())
        self._send_what_is_due()

    def _is_waiting(self) -> bool:
        """Whether a constant rate has more to send."""
        return any(supply.paced for supply in self._supplies) and time.perf_counter() < self._until

    def _pause(self) -> float:
        """Seconds until something is due. Below the millisecond that epoll knows, it looks again at once."""
        due = [supply.due for supply in self._supplies if supply.paced and supply.idle]
        now = time.perf_counter()
        if not due or now >= self._until:
            return 1.0
        return max(0.0, min(*due, self._until) - now - 0.002)

    def _send_what_is_due(self) -> None:
        for supply in self._supplies:
            while supply.paced and supply.idle and supply.due < self._until:
                now = time.perf_counter()
                if supply.due > now or now >= self._until:
                    break
                if now - supply.due > _PUNCTUAL:
                    self._outcome.late += 1
                self._next(supply.idle.pop(), supply.due)
                supply.advance()

    def _count_dropped(self) -> None:
        for supply in self._supplies:
            while supply.paced and supply.due < self._until:
                self._outcome.dropped += 1
                supply.advance()

    def _next(self, connection: _Connection, began: float) -> None:
        request = next(connection.supply.requests, None)
        if request is None:
            return
        connection.request = request
        connection.began = began
        self._in_flight += 1
        self._send(connection, request.data)

    def _send(self, connection: _Connection, data: bytes) -> None:
        try:
            sent = connection.socket.send(data)
        except BlockingIOError:
            sent = 0
        was_waiting = bool(connection.unsent)
        connection.unsent = data[sent:]
        if connection.unsent:
            self._epoll.modify(connection.socket, select.EPOLLIN | select.EPOLLOUT)
        elif was_waiting:
            self._epoll.modify(connection.socket, select.EPOLLIN)

    def _receive(self, connection: _Connection) -> None:
        data = connection.socket.recv(_READ)
        if not data:
            raise ConnectionError("the server hung up")
        answer = connection.buffer + data if connection.buffer else data
        if _is_whole(answer):
            connection.buffer = b""
            self._take(connection, answer)
        else:
            connection.buffer = answer

    def _take(self, connection: _Connection, answer: bytes) -> None:
        now = time.perf_counter()
        request = connection.request
        assert request is not None, "nothing is said unasked"
        self._in_flight -= 1
        kind, status = request.kind, answer[9:12]
        name = f"{kind} {status.decode()}"
        self._outcome.answers[name] += 1
        if status != request.status or request.proof not in answer:
            self._outcome.unexpected[name] += 1
        paced = connection.supply.paced
        # A closed loop counts what ends in the measured time, a constant rate what was to begin in it.
        if self._from <= (connection.began if paced else now) < self._until:
            self._outcome.latencies.setdefault(kind, []).append(now - connection.began)
        if paced:
            connection.supply.idle.append(connection)
        elif now < self._until:
            self._next(connection, now)


def _is_whole(answer: bytes) -> bool:
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    length = _LENGTH.search(answer, 0, end)
    if length is None:
        raise ConnectionError("an answer without a length")
    return len(answer) >= end + 4 + int(length[1])
