"""Random transfers of many threads: refusals, replays, opposite directions."""

from tests.client import ApiClient
from tests.concurrency import storm


def test_a_storm_of_transfers_leaves_what_the_clients_were_told(places: list[ApiClient]) -> None:
    transfers = storm.gather(places[0], places)
    transfers.blow(300, seed=1)
    transfers.assert_done_once(places[0])
