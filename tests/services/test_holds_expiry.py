"""The end of a hold: to the microsecond, once, and what may come after it."""

from datetime import UTC, datetime, timedelta

import pytest

from app.db.unit_of_work import Database
from app.ledger.commands import Held
from tests.books import (
    capture,
    deposit,
    hold,
    increment,
    pay,
    set_clock,
    void,
    withdraw,
)
from tests.holds import World, history, now_of


@pytest.fixture
def world(db: Database) -> World:
    return World(db)


BEGIN = datetime(2026, 3, 10, 12, tzinfo=UTC)


def at(monkeypatch: pytest.MonkeyPatch, after: timedelta) -> None:
    """The clock stands this long after the beginning."""
    set_clock(monkeypatch, (BEGIN + after).isoformat())


def short(world: World, monkeypatch: pytest.MonkeyPatch, amount: int = 600) -> Held:
    """A hold that lasts an hour."""
    at(monkeypatch, timedelta())
    return world.hold(amount, expires_at=BEGIN + timedelta(hours=1))


HOUR, INSTANT = timedelta(hours=1), timedelta(microseconds=1)


def test_a_hold_lives_until_the_instant_it_expires(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    held = short(world, monkeypatch)
    at(monkeypatch, HOUR - INSTANT)
    world.books.held(capture(world.ada, held, 100))
    for after in (timedelta(), INSTANT, HOUR):
        at(monkeypatch, HOUR + after)
        for command in (capture(world.ada, held, 1), increment(world.ada, held, 1), void(world.ada, held)):
            world.books.refused(command, "hold_not_active")
    assert world.money() == (900, 0, 0)
    assert history(world.books, held)[-1] == ("expired", 500, 0)
    (row,) = world.books.rows("SELECT status, captured FROM transfers WHERE key = :key", key=held.row["key"])
    assert tuple(row) == ("expired", 100)
    world.books.assert_right()


def test_what_has_expired_can_be_spent_by_the_next_command(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = short(world, monkeypatch), world.hold(400, expires_at=BEGIN + HOUR)
    world.books.refused(pay(world.ada, world.one, world.two, 1), "insufficient_funds")
    at(monkeypatch, HOUR)
    world.books.did(pay(world.ada, world.one, world.two, 1000))
    assert world.money() == (0, 0, 0)
    assert [history(world.books, held)[-1][0] for held in (first, second)] == ["expired"] * 2
    world.books.assert_right()


def test_a_hold_expires_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    held = short(world, monkeypatch)
    at(monkeypatch, HOUR)
    for _ in range(3):
        world.books.did(pay(world.ada, world.one, world.two, 1))
    world.books.post(capture(world.ada, held), capture(world.ada, held))
    assert [act for act, *_ in history(world.books, held)] == ["created", "expired"]


def test_the_due_holds_of_an_account_can_be_ended_without_a_command(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    books, held = world.books, short(world, monkeypatch)
    mine = books.account(world.ada, money=50)
    other = books.held(hold(world.ada, mine, world.two, 50, expires_at=BEGIN + HOUR))
    kept = world.hold(100)
    books.db.run_write(books.ledger.expire_due, world.one.key)
    assert world.money() == (1000, 700, 0)
    at(monkeypatch, HOUR)
    for _ in range(2):
        books.db.run_write(books.ledger.expire_due, world.one.key)
    assert world.money() == (1000, 100, 0)
    assert [act for act, *_ in history(books, held)] == ["created", "expired"]
    assert [len(history(books, one)) for one in (other, kept)] == [1, 1]
    books.assert_right()


@pytest.mark.parametrize("after", [timedelta(), -INSTANT, timedelta(days=30) + INSTANT, timedelta(days=4000)])
def test_a_hold_ends_in_the_future_and_within_thirty_days(
    world: World, monkeypatch: pytest.MonkeyPatch, after: timedelta
) -> None:
    at(monkeypatch, timedelta())
    world.books.refused(
        hold(world.ada, world.one, world.two, expires_at=BEGIN + after), "validation_failed", "expires_at"
    )
    for right in (INSTANT, timedelta(days=30)):
        assert world.hold(100, expires_at=BEGIN + right).row["expires_at"] == BEGIN + right


def test_a_replay_is_told_after_the_end_of_its_hold(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, timedelta())
    command = hold(world.ada, world.one, world.two, 600, expires_at=BEGIN + HOUR)
    first = world.books.held(command)
    at(monkeypatch, 2 * HOUR)
    again = world.books.held(command)
    assert (again.replayed, now_of(again)) == (True, now_of(first))


def late(world: World, monkeypatch: pytest.MonkeyPatch) -> Held:
    """A hold of 600 that has expired, after which 900 of the 1,000 have been spent."""
    held = short(world, monkeypatch)
    at(monkeypatch, HOUR)
    world.books.did(pay(world.ada, world.one, world.two, 900))
    return held


def test_a_late_capture_is_refused_unless_it_is_forced(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    held = late(world, monkeypatch)
    world.books.refused(capture(world.ada, held, 600), "hold_not_active")
    done = world.books.held(capture(world.ada, held, 600, forced=True))
    assert now_of(done) == ("posted", 600, 600, 0)
    assert world.money() == (-500, 0, 500)
    world.books.refused(capture(world.ada, held, 1, forced=True), "hold_not_active")
    assert [act for act, *_ in history(world.books, held)] == ["created", "expired", "captured"]
    world.books.assert_right()
    world.books.did(deposit(world.ada, world.one, 200))
    assert world.money() == (-300, 0, 300)
    world.books.did(deposit(world.ada, world.one, 400))
    assert world.money() == (100, 0, 0)
    world.books.assert_right()


def test_a_late_capture_takes_no_more_than_was_left_and_its_tolerance(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = late(world, monkeypatch)
    forced = {"forced": True, "tolerance": 10}
    world.books.refused(capture(world.ada, held, 661, **forced), "validation_failed", "amount")
    world.books.set(world.one, status="frozen")
    world.books.refused(capture(world.ada, held, 660, **forced), "account_frozen")
    done = world.books.held(capture(world.books.teller, held, 660, **forced))
    assert now_of(done) == ("posted", 600, 660, 0)
    assert world.money() == (-560, 0, 560)
    world.books.assert_right()


def test_a_late_capture_in_the_batch_that_ends_the_hold(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = short(world, monkeypatch)
    at(monkeypatch, HOUR)
    assert now_of(world.books.held(capture(world.ada, held, forced=True)))[0] == "posted"
    assert world.money() == (400, 0, 0)
    world.books.assert_right()


def test_a_closed_account_is_not_captured_from(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    held = late(world, monkeypatch)
    world.books.did(withdraw(world.ada, world.one, 100))
    world.books.set(world.one, status="closed")
    world.books.refused(capture(world.ada, held, 1, forced=True), "account_closed")


def test_what_is_reserved_is_captured_also_while_the_account_is_below_its_floor(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = short(world, monkeypatch)
    at(monkeypatch, HOUR)
    kept = world.hold(900)
    world.books.held(capture(world.ada, held, 600, forced=True))
    assert world.money() == (400, 900, 500)
    world.books.held(capture(world.ada, kept, 300))
    assert world.money() == (100, 600, 500)
    world.books.assert_right()
    world.books.held(void(world.ada, kept))
    assert world.money() == (100, 0, 0)
    world.books.assert_right()


def test_a_hold_is_captured_whole_also_below_the_floor(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    held = short(world, monkeypatch)
    at(monkeypatch, HOUR)
    kept = world.hold(1000)
    world.books.held(capture(world.ada, held, 600, forced=True))
    world.books.held(capture(world.ada, kept, 1000))
    assert world.money() == (-600, 0, 600)
    world.books.assert_right()
