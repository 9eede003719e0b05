"""Kills banks again and again: `python -m tests.crash --kills 500`.

Each batch is a new database. What a batch came to is recorded as soon as it ends; after an
interruption the same command goes on behind the last one.
"""

import argparse
import json
import secrets
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from itertools import cycle, islice
from pathlib import Path

from tests.crash.campaign import AT_RANDOM, DATABASE, Campaign, campaign, kills
from tests.crash.clients import Findings
from tests.crash.databases import Backend, backend
from tests.record import record

BATCH = 20
CUTS = 40
_PROGRESS = Path("build/crash.json")


@dataclass
class Progress:
    """How far the kills have come, by database; kept until all are done."""

    wanted: int
    seed: int
    done: dict[str, int] = field(default_factory=dict)

    @classmethod
    def load(cls, wanted: int, seed: int | None, path: Path = _PROGRESS) -> "Progress":
        """What was begun and not ended, if it was the same; else a new beginning."""
        if path.exists():
            begun = cls(**json.loads(path.read_text("utf-8")))
            if begun.wanted == wanted and seed in (None, begun.seed):
                return begun
        return cls(wanted, secrets.randbelow(10**6) if seed is None else seed)

    def add(self, database: str, number: int, path: Path = _PROGRESS) -> None:
        self.done[database] = self.done.get(database, 0) + number
        path.parent.mkdir(exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(self)), "utf-8")
        draft.replace(path)


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    options.add_argument("--kills", type=int, default=BATCH, help="for each database")
    options.add_argument("--seed", type=int, help="of the random moments and requests; default: a new one")
    options.add_argument("--database", choices=("sqlite", "postgresql"), action="append")
    given = options.parse_args()
    progress = Progress.load(given.kills, given.seed)
    print(f"seed {progress.seed}", flush=True)
    for name in given.database or ("sqlite", "postgresql"):
        with tempfile.TemporaryDirectory() as folder, backend(name, Path(folder)) as database:
            while (begun := progress.done.get(name, 0)) < given.kills:
                size = min(BATCH, given.kills - begun)
                if not _batch(database, Path(folder), progress.seed, begun, size):
                    return 1
                progress.add(name, size)
    _PROGRESS.unlink(missing_ok=True)
    return 0


def _batch(database: Backend, folder: Path, seed: int, begun: int, size: int) -> bool:
    """One database: kills, then cut connections, then `bank verify`. Whether nothing is wrong."""
    plans = list(islice(cycle(kills(database)), begun, begun + size))
    with campaign(database, folder, seed + begun) as bank:
        found = bank.suffer(plans)
        cuts = None if found.faults else bank.suffer_cuts(CUTS)
        found = found if found.faults else bank.compare()
        verdict = bank.verify()
        found.differences += len(verdict.splitlines())
        by_chance = sum(plan.what == AT_RANDOM for plan in plans)
        servers = sum(plan.what == DATABASE for plan in plans)
        faults = {"lost": found.lost, "doubled": found.doubled, "differences": found.differences}
        record(
            "kills",
            database=database.name,
            seed=seed,
            kills=size,
            at_random_moments=by_chance,
            at_named_points=size - by_chance - servers,
            of_the_database_server=servers,
            acknowledged=found.acknowledged,
            restart_ms_max=max(bank.restarts, default=0),
            **faults,
        )
        if cuts is not None:
            lost = cuts.lost_answers
            record("cut answers", database=database.name, seed=seed, cut_answers=lost, **faults)
        record("replays", seed=seed, replays=bank.clients.replays, differences=bank.clients.differing)
        record("postings checked", postings=found.postings, differences=found.differences)
    _say(database, begun + size, bank, found, verdict)
    return not found.faults


def _say(database: Backend, done: int, bank: Campaign, found: Findings, verdict: str) -> None:
    print(
        f"{database.name}: {done} kills; {found.acknowledged} acknowledged, {found.lost} lost, "
        f"{found.doubled} doubled, {found.differences} differences; {bank.clients.found_done} lost answers "
        f"found by their keys, {bank.clients.replays} replays; restarts of "
        f"{min(bank.restarts, default=0)} to {max(bank.restarts, default=0)} ms",
        verdict,
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
