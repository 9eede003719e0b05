"""What a client was told survives any death of the service or of its database, and happens once."""

from pathlib import Path

import pytest

from tests.crash import armed
from tests.crash.campaign import AT_RANDOM, DATABASE, Kill, campaign
from tests.crash.clients import Findings
from tests.crash.databases import backend
from tests.crash.proxy import CUTS
from tests.record import seed

BACKENDS = ("sqlite", "postgresql")
PLANS = [
    Kill(what)
    for what in (
        AT_RANDOM,
        "after insert of transfers",
        armed.BEFORE_COMMIT,
        armed.AFTER_COMMIT,
        armed.HALF_ANSWER,
    )
]


@pytest.mark.parametrize("name", BACKENDS)
def test_nothing_is_lost_or_done_twice_by_kills_and_cut_connections(name: str, tmp_path: Path) -> None:
    with backend(name, tmp_path) as database, campaign(database, tmp_path, seed()) as bank:
        found = bank.suffer(PLANS + [Kill(DATABASE)] * database.can_die)
        assert found == right(found)
        assert bank.clients.found_done >= len(armed.UNTOLD)
        assert bank.clients.replays

        cuts = bank.suffer_cuts(20)
        assert set(cuts.cuts) == set(CUTS)
        found = bank.compare()
        assert found == right(found)
        assert bank.verify() == ""

        # The comparison sees what it is there for.
        bank.clients.done.append(bank.clients.done[0])
        assert bank.compare().lost == 1


def right(found: Findings) -> Findings:
    return Findings(acknowledged=found.acknowledged, postings=found.postings)
