"""The tools of the crash tests: what they find, and that a long run goes on where it stopped."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.bank import TRANSFERS
from tests.crash.__main__ import Progress
from tests.crash.armed import POINTS
from tests.crash.campaign import AT_RANDOM, DATABASE, kills
from tests.crash.clients import Act, Clients, Findings
from tests.crash.databases import Sqlite


def act(key: str, transfer_id: str) -> Act:
    answer = httpx.Response(201, json={"id": transfer_id})
    return Act(0, TRANSFERS, {}, key, {0: -5, 1: 5}, answer)


@pytest.mark.parametrize(
    ("stored", "found"),
    [
        ([("k1", "trf_1"), ("k2", "trf_2")], {}),
        ([("k1", "trf_1")], {"lost": 1}),
        ([("k1", "trf_1"), ("k2", "trf_3")], {"lost": 1}),
        ([("k1", "trf_1"), ("k2", "trf_2"), ("k2", "trf_3")], {"doubled": 1}),
        ([("k1", "trf_1"), ("k2", "trf_2"), ("k3", "trf_3")], {"differences": 1}),
    ],
    ids=["all once", "one missing", "another in its place", "one twice", "one that was refused"],
)
def test_records_are_held_against_the_logs(stored: list[tuple[str, str]], found: dict[str, int]) -> None:
    clients = Clients([], done=[act("k1", "trf_1"), act("k2", "trf_2")])
    result = Findings()
    clients._compare_records(result, stored)
    assert result == Findings(**found)
    assert result.faults == sum(found.values())


@pytest.mark.parametrize(
    ("stored", "found"),
    [
        ({"aut_1", "aut_2"}, {}),
        ({"aut_1"}, {"lost": 1}),
        ({"aut_1", "aut_2", "aut_3"}, {"differences": 1}),
    ],
    ids=["all", "one missing", "one that nobody was told of"],
)
def test_what_cards_have_answered_is_held_against_the_logs(stored: set[str], found: dict[str, int]) -> None:
    answers = [
        httpx.Response(201, json={"id": f"aut_{number}", "status": status})
        for number, status in ((1, "approved"), (2, "declined"))
    ]
    asked = [Act(0, "/v1/cards/crd_1/authorizations", {}, "k", {}, answer) for answer in answers]
    assert [one.reserves for one in asked] == [True, False]
    result = Findings()
    Clients([], done=asked)._compare_answers(result, stored)
    assert result == Findings(**found)


@pytest.mark.parametrize(
    ("stored", "found"),
    [
        ((5, 0, 3), {}),
        ((5, 0, 2), {"lost": 1}),
        ((5, 0, 4), {"doubled": 1}),
        ((4, 0, 3), {"differences": 1}),
        ((5, 4, 3), {"differences": 1}),
    ],
    ids=["all once", "an act is missing", "one too many", "another amount", "still reserved"],
)
def test_holds_are_held_against_what_was_done_to_them(
    stored: tuple[int, int, int], found: dict[str, int]
) -> None:
    hold = replace(act("k1", "trf_1"), body={"pending": True, "amount": 9})
    done = [
        replace(hold, path=f"{TRANSFERS}/trf_1/{verb}", body=body, hold=hold)
        for verb, body in (("capture", {"amount": 5}), ("void", {}))
    ]
    result = Findings()
    Clients([], done=[hold, *done])._compare_holds(result, [("trf_1", *stored)])
    assert result == Findings(**found)


@pytest.mark.parametrize(
    ("headers", "body", "differing"),
    [
        ({"Idempotent-Replayed": "true"}, {"id": "trf_1"}, 0),
        ({"Idempotent-Replayed": "true"}, {"id": "trf_2"}, 1),
        ({}, {"id": "trf_1"}, 1),
    ],
    ids=["the same", "another transfer", "done anew"],
)
def test_a_replay_is_the_first_answer_and_says_so(
    headers: dict[str, str], body: dict[str, Any], differing: int
) -> None:
    clients = Clients([])
    clients._take(act("k1", "trf_1"), httpx.Response(201, headers=headers, json=body))
    assert (clients.replays, clients.differing) == (1, differing)


def test_every_point_is_tried_and_half_of_the_kills_come_at_random_moments(tmp_path: Path) -> None:
    plans = [plan.what for plan in kills(Sqlite(tmp_path))]
    assert set(plans) == {*POINTS, AT_RANDOM}
    assert plans.count(AT_RANDOM) == len(POINTS)
    assert DATABASE not in plans


def test_a_long_run_goes_on_behind_the_last_batch(tmp_path: Path) -> None:
    path = tmp_path / "build" / "progress.json"
    begun = Progress.load(500, None, path)
    begun.add("sqlite", 20, path)
    begun.add("sqlite", 20, path)
    again = Progress.load(500, None, path)
    assert (again.seed, again.done) == (begun.seed, {"sqlite": 40})
    assert Progress.load(40, None, path).done == {}
    assert Progress.load(500, begun.seed + 1, path).done == {}
