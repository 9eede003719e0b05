"""A network that cuts connections: before, in the middle of and after a request or an answer."""

import random
import select
import socket
import struct
import threading
from collections import Counter

# How much of what is on its way still arrives, by direction.
CUTS = (
    ("request", 0.0),
    ("request", 0.5),
    ("request", 1.0),
    # The service has committed and answered.
    ("answer", 0.0),
    ("answer", 0.5),
)
_SHARE = 0.12


class CuttingProxy:
    """Forwards to a port of the loopback; about one transmission in eight is cut. Use as a context."""

    def __init__(self, port: int, seed: int) -> None:
        self._port = port
        self._dice = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept)
        self.cuts: Counter[tuple[str, float]] = Counter()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def lost_answers(self) -> int:
        return sum(times for (direction, _), times in self.cuts.items() if direction == "answer")

    def __enter__(self) -> "CuttingProxy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Wakes the thread that waits in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        connections = []
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                break
            connections.append(threading.Thread(target=self._forward, args=(client,)))
            connections[-1].start()
        for connection in connections:
            connection.join()

    def _forward(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._port)) as server:
            ways = {client: ("request", server), server: ("answer", client)}
            while True:
                for source in select.select(list(ways), [], [])[0]:
                    direction, target = ways[source]
                    if not self._pass_on(source, target, direction):
                        _reset(client)
                        return

    def _pass_on(self, source: socket.socket, target: socket.socket, direction: str) -> bool:
        """Whether the connection still stands."""
        try:
            data = source.recv(65536)
            cut = self._cut(direction) if data else None
            target.sendall(data if cut is None else data[: int(len(data) * cut[1])])
        except OSError:
            return False
        if cut is not None:
            self.cuts[cut] += 1
        return bool(data) and cut is None

    def _cut(self, direction: str) -> tuple[str, float] | None:
        if self._dice.random() > _SHARE:
            return None
        return self._dice.choice([cut for cut in CUTS if cut[0] == direction])


def _reset(connection: socket.socket) -> None:
    """Closing now tells the other side by a reset, as a broken network would."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
