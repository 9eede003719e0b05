"""What there is without the service: the load generator alone, SQLite alone, PostgreSQL alone."""

import itertools
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import load, systems
from benchmarks.cells import CLIENTS, Bench, CellFailed, CellId, Measured, judge
from benchmarks.databases import POSTGRESQL, SQLITE
from benchmarks.load import Stream

_RAW: Final = (sys.executable, "-m", "benchmarks.raw")
_FUNCTION: Final = Path(__file__).with_name("bare.sql")
_SCRIPT: Final = """\\set source {source}
\\set destination (:source - 1 + random(1, {accounts} - 1)) % {accounts} + 1
SELECT bare_transfer(:source, :destination);
"""


@dataclass(frozen=True)
class GeneratorCell:
    """The load generator against a server that does nothing: what it can do at most."""

    needs: tuple[CellId, ...] = ()

    @property
    def id(self) -> CellId:
        return CellId("generator", "")

    def measure(self, bench: Bench) -> Measured:
        made = bench.workloads(SQLITE).transfers()
        requests = itertools.cycle([next(made)._replace(proof=b"") for _ in range(10_000)])
        with systems.serving(systems.TRIVIAL, "", bench.databases.folder) as port:
            outcome = load.run(port, [Stream(requests, CLIENTS)], bench.seconds, bench.warm_up)
        return judge(outcome)


@dataclass(frozen=True)
class RawCell:
    """SQLite by itself, `batch` transfers a transaction."""

    batch: int
    needs: tuple[CellId, ...] = ()

    @property
    def id(self) -> CellId:
        return CellId(f"raw-{self.batch}", SQLITE)

    def measure(self, bench: Bench) -> Measured:
        with bench.databases.copy(self.id.database) as url:
            file = url.removeprefix("sqlite:///")
            command = [*_RAW, file, str(self.batch), str(bench.seconds)]
            told = systems.run(command, systems.environment(url), bench.databases.folder)
            systems.bank("verify", url, bench.databases.folder)
        return {"rate": float(told)}


@dataclass(frozen=True)
class PgbenchCell:
    """PostgreSQL by itself: a function a transfer, called by pgbench on the load generator's core.

    `source` is the number of the source as pgbench finds it, from 1 on; {accounts} is how many there are.
    """

    name: str
    source: str
    needs: tuple[CellId, ...] = ()

    @property
    def id(self) -> CellId:
        return CellId(f"pgbench-{self.name}", POSTGRESQL)

    def measure(self, bench: Bench) -> Measured:
        folder = bench.databases.folder
        script = folder / "bare.pgbench"
        accounts = len(bench.databases.world(self.id.database).accounts)
        script.write_text(_SCRIPT.format(source=self.source.format(accounts=accounts), accounts=accounts))
        with bench.databases.copy(self.id.database) as url:
            bench.databases.execute(url, _FUNCTION.read_text("utf-8"))
            seconds = str(max(1, round(bench.seconds)))
            options = ("-n", "-M", "prepared", "-c", "16", "-T", seconds, "-f", str(script))
            told = bench.databases.pgbench(url, options)
            systems.bank("verify", url, folder)
        rate, failed = re.search(r"tps = ([\d.]+)", told), re.search(r"failed transactions: (\d+)", told)
        if rate is None or failed is None or failed[1] != "0":
            raise CellFailed(told)
        return {"rate": float(rate[1])}
