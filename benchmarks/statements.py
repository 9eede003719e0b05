"""A statement of a hundred thousand entries: how long it takes, and how much memory, by format."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

from app.statements.formats import FORMATS
from benchmarks import load, systems
from benchmarks.cells import Bench, CellFailed, CellId, Measured
from benchmarks.load import Request, Stream
from benchmarks.world import World, http, transfer_body

ENTRIES: Final = 100_000
_ITEMS: Final = 1_000
_PATIENCE: Final = 600.0
_READ: Final = 1 << 16
# A file of entries is longer than this, whatever its format.
_LEAST: Final = 40


@dataclass(frozen=True)
class StatementCell:
    """One client reads the statement of one long account; nothing else happens meanwhile."""

    format: str
    database: str
    entries: int = ENTRIES
    needs: tuple[CellId, ...] = ()

    @property
    def id(self) -> CellId:
        return CellId(f"statement-{self.format}", self.database)

    def measure(self, bench: Bench) -> Measured:
        databases = bench.databases
        world = databases.world(self.database)
        with (
            databases.filled(self.database, "long", lambda port: fill(port, world, self.entries)) as url,
            systems.serving_process(systems.SERVICE, url, databases.folder) as (port, process),
        ):
            # What a format needs once, like its fonts, is there before it counts.
            _get(port, world, self.format, "&month=2020-01")
            before = _memory(process, "VmRSS")
            Path(f"/proc/{process}/clear_refs").write_text("5")
            began = time.perf_counter()
            size = _get(port, world, self.format)
            seconds = time.perf_counter() - began
            peak = _memory(process, "VmHWM") - before
        if size < self.entries * _LEAST:
            raise CellFailed(f"a statement of {size} bytes")
        return {"rate": self.entries / seconds, "seconds": seconds, "peak_mib": peak, "size": size}


def statement_cells(database: str) -> Iterator[StatementCell]:
    """One of each format."""
    return (StatementCell(name, database) for name in FORMATS)


def fill(port: int, world: World, entries: int) -> None:
    """So many payments from the first account to the second."""
    source, destination = world.accounts[:2]
    bearer = {"Authorization": f"Bearer {world.tokens[source.owner]}"}
    item = transfer_body(source, destination, 1) | {"description": "Invoice 2026-0231, thank you"}
    body = {"atomic": True, "transfers": [item] * _ITEMS}
    requests = (
        Request(
            http("POST", "/v1/transfers/bulk", bearer | {"Idempotency-Key": f"long-{n}"}, body),
            "bulk",
            b"200",
        )
        for n in range(entries // _ITEMS)
    )
    outcome = load.run(port, [Stream(requests, 1)], _PATIENCE)
    if outcome.unexpected:
        raise CellFailed(f"filling the account: {dict(outcome.unexpected)}")


def _get(port: int, world: World, format_: str, query: str = "") -> int:
    """Reads a statement as it comes; how many bytes there were."""
    account = world.accounts[0]
    connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    headers = {"Authorization": f"Bearer {world.tokens[account.owner]}"}
    connection.request("GET", f"/v1/statements/{account.id}?format={format_}{query}", headers=headers)
    answer = connection.getresponse()
    size = 0
    while chunk := answer.read(_READ):
        size += len(chunk)
    connection.close()
    if answer.status != 200:
        raise CellFailed(f"{answer.status} {answer.reason}")
    return size


def _memory(process: int, name: str) -> float:
    """VmRSS, what a process has now, or VmHWM, the most that it has had, in MiB."""
    status = Path(f"/proc/{process}/status").read_text("ascii")
    pages = next(line.split()[1] for line in status.splitlines() if line.startswith(f"{name}:"))
    return int(pages) / 1024
