"""One fault at one point of one request, and all that must be right afterwards."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from tests.client import error_of
from tests.sweep import books
from tests.sweep.books import Effect
from tests.sweep.faults import COMMIT, FAULTS, STATEMENT, Fault, Point
from tests.sweep.writes import ANEW, Ask, World, Write

SUCCESS: Final = None
_CRASH: Final = next(fault for fault in FAULTS if fault.name == "crash from then on")
_CONFLICTS: Final = [fault for fault in FAULTS if fault.state in ("40001", "40P01") and not fault.lasting]

Answer = tuple[int, str] | None


@dataclass
class Tally:
    """What the sweeps on one database have come to; `points`: a request was hit by a fault at a place."""

    points: int = 0
    routes: int = 0
    # An effect that its client was promised, or could not get; one that is there more than once; one
    # that is half there, or is there though its client was refused it.
    lost: int = 0
    doubled: int = 0
    differences: int = 0


class Sweep:
    """Hits one request at each of its points; `thorough`: with each fault, else with some."""

    def __init__(self, world: World, write: Write, tally: Tally, *, thorough: bool) -> None:
        self._world = world
        self._write = write
        self._tally = tally
        self._thorough = thorough
        self._effect: Effect = {}
        self._points: list[Point] = []

    def run(self, turn: int = 0) -> None:
        """All points; `turn` says with which fault a sweep begins that does not try each."""
        points = self._points = self._undisturbed()
        self._tally.routes += bool(self._effect)
        for number, point in enumerate(points if self._effect else ()):
            for fault in self._faults(point, turn + number):
                self._try(fault, number, point)
                self._tally.points += 1

    def _undisturbed(self) -> list[Point]:
        """The points and the effect of a request that nothing happens to."""
        ask = self._write.ask(self._world)
        before = self._state()
        with self._world.saboteur.at_work():
            answer = ask.send()
        assert answer.is_success, answer.text
        points = self._world.saboteur.met
        self._effect = books.effect(before, self._state())
        self._assert_again(ask, before, answer)
        return points

    def _state(self) -> books.State:
        return books.state(self._world.client.db)

    def _faults(self, point: Point, turn: int) -> Sequence[Fault]:
        fitting = [fault for fault in FAULTS if fault.fits(point, self._world.dialect)]
        if self._thorough:
            return fitting
        if not point.writes:
            return [fitting[turn % len(fitting)]]
        if point.moment == COMMIT:
            return [fault for fault in fitting if not fault.lasting]
        conflict = _CONFLICTS[turn % len(_CONFLICTS)]
        chosen = [_CRASH, fitting[turn % len(fitting)]]
        return [*chosen, conflict] if conflict in fitting else chosen

    def _try(self, fault: Fault, number: int, point: Point) -> None:
        ask = self._write.ask(self._world)
        before = self._state()
        with self._world.saboteur.at_work(fault, number):
            answer = ask.send()
        met = self._world.saboteur.met
        assert len(met) > number, f"{fault.name} at {number} was not reached: {answer.text}"
        hit = met[number]
        assert (hit.moment, hit.writes) == (point.moment, point.writes)
        story = f"{fault.name} at {number}: {hit}: {answer.status_code} {answer.text}"
        self._assert_answer(answer, self._expected(fault, hit), story)
        happened = answer.is_success or (fault.after and point.writes) or self._is_saved_before(number)
        self._compare(books.effect(before, self._state()), self._effect if happened else {}, story)
        if happened:
            self._assert_again(ask, before, answer)
            return
        retried = ask.send()
        assert retried.is_success, f"{story}, then {retried.text}"
        assert "Idempotent-Replayed" not in retried.headers, story
        self._compare(books.effect(before, self._state()), self._effect, story)

    def _is_saved_before(self, number: int) -> bool:
        """Whether the effect was committed by then: what is sent while it is read comes after its trace."""
        return any(one.moment == COMMIT and one.writes for one in self._points[:number])

    def _expected(self, fault: Fault, hit: Point) -> Answer:
        """What the client is told."""
        runs_alone = self._write.batched and hit.writes
        match fault.state, fault.name.removesuffix(" from then on"):
            case "40001" | "40P01", _:
                return (503, "lock_timeout") if fault.lasting else SUCCESS
            case "55P03", _:
                claims = hit.statement.startswith("INSERT INTO idempotency_keys") and not runs_alone
                return (409, "idempotency_in_progress") if claims else (503, "lock_timeout")
            case "53100", _:
                return (503, "storage_full")
            case _, "cut" if hit.moment == STATEMENT and not fault.lasting:
                return SUCCESS
            case _, "cut" | "cut after":
                return (503, "database_unavailable")
        return SUCCESS if runs_alone and not fault.lasting else (500, "internal_error")

    def _assert_answer(self, answer: httpx.Response, expected: Answer, story: str) -> None:
        if expected is SUCCESS:
            assert answer.is_success, story
            return
        assert not answer.is_success, story
        error_of(answer, *expected)
        assert ("Retry-After" in answer.headers) == (expected[0] in (409, 503)), story

    def _assert_again(self, ask: Ask, before: books.State, first: httpx.Response) -> None:
        """The request has had its effect; sent again it has no other than is written down."""
        answer = ask.send()
        if self._write.again is None:
            assert answer.is_success, answer.text
            assert answer.headers["Idempotent-Replayed"] == "true"
            assert not first.is_success or _told(answer) == self._kept_of(first)
        else:
            status, code = self._write.again
            assert answer.status_code == status, answer.text
            if code is not None:
                error_of(answer, status, code)
        then = self._effect if self._write.then is ANEW else self._write.then
        assert then is not None
        self._compare(books.effect(before, self._state()), books.together(self._effect, then), answer.text)

    def _kept_of(self, first: httpx.Response) -> tuple[int, Any]:
        """What a replay tells of the first answer: what is shown once is null."""
        status, told = _told(first)
        return status, told | dict.fromkeys(self._write.shown_once)

    def _compare(self, found: Effect, expected: Effect, story: str) -> None:
        """Counts what is wrong before it fails, for the report."""
        if found == expected:
            return
        with contextlib.suppress(KeyError):
            more = [found[table] > expected[table] for table in expected]
            self._tally.doubled += bool(expected) and all(more)
        self._tally.lost += bool(expected) and not found
        self._tally.differences += not (expected and not found)
        raise AssertionError(f"{found} instead of {expected}: {story}")


def _told(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()
