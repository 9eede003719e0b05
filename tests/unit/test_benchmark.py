"""The arithmetic of the benchmark, and its load generator against servers whose behaviour is known."""

import itertools
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks import figures, load, page, results, table
from benchmarks.cells import CellFailed, CellId, judge
from benchmarks.load import Request, Stream

ASK = Request(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "question", b"200", b"forty-two")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nforty-two"


@contextmanager
def answering(answer: bytes, pause: float = 0.0, pieces: int = 1) -> Iterator[int]:
    """A server that takes a while, and sends this in pieces; gives its port."""

    def serve(client: socket.socket) -> None:
        with client:
            while client.recv(65536):
                time.sleep(pause)
                size = len(answer) // pieces + 1
                for begin in range(0, len(answer), size):
                    client.sendall(answer[begin : begin + size])
                    time.sleep(0.001 if pieces > 1 else 0)

    def accept() -> None:
        while True:
            try:
                client = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed() -> None:
    values = [float(number) for number in range(200, 0, -1)]
    assert figures.percentile(values, 50) == 100
    assert figures.percentile(values, 99) == 198
    assert figures.percentile(values, 99.9) == 200
    assert figures.percentile(values, 100) == 200
    assert figures.percentile([7.0], 1) == 7


def test_the_nth_of_zipf_comes_a_nth_as_often_as_the_first() -> None:
    drawn = Counter(itertools.islice(figures.zipf(1000, random.Random(1)), 200_000))
    assert set(drawn) <= set(range(1000))
    # The harmonic number of 1,000 is 7.485.
    assert drawn[0] / 200_000 == pytest.approx(1 / 7.485, rel=0.03)
    for rank in (2, 3, 10):
        assert drawn[rank - 1] / drawn[0] == pytest.approx(1 / rank, rel=0.06)


def test_a_constant_rate_has_an_instant_for_every_request() -> None:
    assert list(itertools.islice(figures.intended(4), 5)) == [0, 0.25, 0.5, 0.75, 1]


@pytest.mark.parametrize("pieces", [1, 5])
def test_a_closed_loop_asks_again_when_it_was_answered(pieces: int) -> None:
    with answering(ANSWER, pieces=pieces) as port:
        outcome = load.run(port, [Stream(itertools.repeat(ASK), clients=3)], seconds=0.3, warm_up=0.1)
    assert not outcome.unexpected
    assert 3 < len(outcome.latencies["question"]) < outcome.answers["question 200"]
    assert 0 < max(outcome.latencies["question"]) < 0.4


def test_a_supply_that_ends_is_answered_once_and_ends_the_run() -> None:
    with answering(ANSWER) as port:
        outcome = load.run(port, [Stream(iter([ASK] * 10), clients=4)], seconds=60)
    assert outcome.answers == {"question 200": 10}


def test_the_latency_of_a_constant_rate_counts_from_the_intended_instant() -> None:
    # One every 0.4 s for one client that needs 0.6 s each: they wait for each other longer and longer.
    with answering(ANSWER, pause=0.6) as port:
        outcome = load.run(port, [Stream(itertools.repeat(ASK), clients=1, rate=2.5)], seconds=2.0)
    assert outcome.latencies["question"] == pytest.approx([0.6, 0.8, 1.0, 1.2], abs=0.18)
    assert outcome.late == 3
    # The fifth was due at 1.6 s, and the client was free at 2.4 s.
    assert outcome.dropped == 1


def test_a_constant_rate_is_kept_beside_a_closed_loop() -> None:
    slow = ASK._replace(kind="slow")
    streams = [Stream(itertools.repeat(ASK), clients=2), Stream(itertools.repeat(slow), clients=4, rate=50)]
    with answering(ANSWER, pause=0.002) as port:
        outcome = load.run(port, streams, seconds=0.5)
    assert len(outcome.latencies["slow"]) + outcome.dropped == 25
    assert outcome.dropped < 10
    assert len(outcome.latencies["question"]) > 25


@pytest.mark.parametrize(
    "answer",
    [ANSWER.replace(b"200 OK", b"503 No"), ANSWER.replace(b"two", b"one")],
    ids=["another status", "another text"],
)
def test_an_answer_that_was_not_meant_fails_the_cell(answer: bytes) -> None:
    with answering(answer) as port:
        outcome = load.run(port, [Stream(iter([ASK]), clients=1)], seconds=60)
    assert sum(outcome.unexpected.values()) == 1
    with pytest.raises(CellFailed, match="unexpected"):
        judge(outcome)


def test_a_server_that_hangs_up_is_an_error() -> None:
    def hang_up() -> None:
        listener.accept()[0].close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=hang_up, daemon=True).start()
        with pytest.raises(ConnectionError):
            load.run(listener.getsockname()[1], [Stream(iter([ASK]), clients=1)], seconds=60)


@pytest.mark.parametrize("status", [b"404", b"405"])
def test_an_endpoint_that_is_not_there_is_found_out(status: bytes) -> None:
    with answering(ANSWER.replace(b"200", status)) as port:
        assert load.is_missing(port, ASK)
    with answering(ANSWER) as port:
        assert not load.is_missing(port, ASK)


def test_figures_are_of_the_kinds_that_count_and_of_their_items() -> None:
    outcome = load.Outcome(2.0, {"bulk": [0.1, 0.2, 0.3, 0.4], "other": [9.0]})
    judged = judge(outcome, kinds=("bulk",), items=1000)
    assert judged["rate"] == 2000
    assert (judged["p50_ms"], judged["p99_ms"], judged["max_ms"]) == (200, 400, 400)


def test_rounds_are_told_by_their_medians_and_the_longest_of_all() -> None:
    rounds = [
        {"rate": rate, "p50_ms": 1.0, "p99_ms": p99, "max_ms": most, "late": 1, "dropped": 0}
        for rate, p99, most in ((900, 7.0, 30.0), (1000, 9.0, 20.0), (100, 8.0, 10.0))
    ]
    assert results.summary(rounds) == {
        "rate": 900,
        "p50_ms": 1.0,
        "p99_ms": 8.0,
        "max_ms": 30.0,
        "late": 3,
        "dropped": 0,
    }
    assert results.summary([*rounds, {"error": "it broke"}]) == {"error": "it broke"}


def test_a_ratio_is_met_or_not_and_missing_where_a_cell_is() -> None:
    of, to = CellId("a", "sqlite"), CellId("b", "sqlite")
    at_least = results.Ratio("a : b", of, to, at_least=0.6)
    less_than = results.Ratio("a : b", of, to, less_than=1.5, figure="p99_ms")
    cells = {of: {"rate": 60.0, "p99_ms": 15.0}, to: {"rate": 100.0, "p99_ms": 10.0}}
    assert results.ratio_of(cells, at_least) == 0.6
    assert results.ratio_of(cells, less_than) == 1.5
    assert at_least.is_met(0.6)
    assert not at_least.is_met(0.59)
    assert less_than.is_met(1.49)
    assert not less_than.is_met(1.5)
    assert results.ratio_of({of: cells[of]}, at_least) is None
    assert results.ratio_of({of: {"error": "it broke"}, to: cells[to]}, at_least) is None


def test_every_ratio_is_of_cells_that_there_are() -> None:
    known = {cell.id for cell in table.cells(grown=1)}
    assert {one for ratio in results.RATIOS for one in (ratio.of, ratio.to)} <= known
    assert {need for cell in table.cells(grown=1) for need in cell.needs} <= known


def test_a_part_is_chosen_by_name_with_what_it_needs() -> None:
    names = [tuple(cell.id) for cell in table.chosen(["transfer-half-load:postgresql"])]
    assert names == [("transfer-uniform", "postgresql"), ("transfer-half-load", "postgresql")]
    both = [tuple(cell.id) for cell in table.chosen(["balance"])]
    assert both == [("no-database-get", "sqlite"), ("balance", "sqlite"), ("balance", "postgresql")]
    with pytest.raises(KeyError, match="transfer-grown"):
        table.chosen(["transfer-grown"])


def test_the_page_names_what_failed_and_what_is_not_there() -> None:
    found = {
        "date": "2026-01-01",
        "commit": "abc",
        "versions": {"Python": "3.11"},
        "machine": {
            "cpu": "a processor",
            "cores": 2,
            "core_under_test": 0,
            "core_of_the_load": 1,
            "busy_before": 0.1,
            "file_system": "ext4",
            "fdatasync_a_second": 9000,
        },
        "load": {
            "rounds": 3,
            "seconds": 3.0,
            "clients": 64,
            "accounts": 1000,
            "owners": 4,
            "grown": 0,
            "log_level": "INFO",
        },
        "cells": [
            {"name": "no-database-post", "database": "sqlite", "rate": 10_000.0},
            {"name": "transfer-uniform", "database": "sqlite", "rate": 5_900.0},
            {"name": "bulk", "database": "sqlite", "note": "there is no such endpoint"},
            {"name": "mix", "database": "sqlite", "error": "it\nbroke"},
        ],
    }
    written = page.render(found)
    assert "| transfer : no-database POST | SQLite | >= 0.6 | 0.59 | no |" in written
    assert "| bulk | SQLite | - | - | - | - | there is no such endpoint |" in written
    assert "| mix | SQLite | - | - | - | - | it broke |" in written
    assert page.short(None) == page.NOT_YET
