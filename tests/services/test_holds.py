"""Holds: money that is reserved now and moves later, in part or whole, or is let go."""

from datetime import timedelta
from typing import Any

import pytest

from app.core import clock, ids
from app.core.caller import Caller, Role
from app.core.errors import BankingError
from app.db.unit_of_work import Database
from app.ledger.commands import BankAccount, Command, HoldTransfer, Key
from app.models.accounts import AccountKind
from app.models.transfers import TransferKind
from tests.books import (
    capture,
    deposit,
    hold,
    increment,
    pay,
    reverse,
    statements,
    told,
    void,
    withdraw,
)
from tests.holds import World, history, now_of


@pytest.fixture
def world(db: Database) -> World:
    return World(db)


def test_a_hold_reserves_without_moving_anything(world: World) -> None:
    held = world.hold(600, description="table", external_id="t-1", metadata={"a": "b"})
    assert now_of(held) == ("pending", 600, 0, 600)
    row = held.row
    assert (row["source_balance"], row["source_held"], row["source_available"]) == (1000, 600, 400)
    assert (row["source_id"], row["destination_id"], row["booked_at"]) == (world.one.id, world.two.id, None)
    assert row["expires_at"] - row["created_at"] == timedelta(days=7)
    assert world.money() == (1000, 600, 0)
    assert world.money(world.two) == (0, 0, 0)
    assert world.books.count("entries") == 2
    world.books.assert_right()


def test_what_is_reserved_cannot_be_spent(world: World) -> None:
    world.hold(600)
    for command in (
        pay(world.ada, world.one, world.two, 401),
        hold(world.ada, world.one, world.two, 401),
        withdraw(world.ada, world.one, 401),
    ):
        world.books.refused(command, "insufficient_funds")
    for _ in range(4):
        world.hold(100)
    world.books.refused(pay(world.ada, world.one, world.two, 1), "insufficient_funds")
    world.books.refused(hold(world.ada, world.one, world.two, 1), "insufficient_funds")
    assert world.money() == (1000, 1000, 0)


def test_a_capture_of_everything_is_a_transfer_of_its_own(world: World) -> None:
    held = world.hold(600, description="table", external_id="t-1", metadata={"a": "b"})
    done = world.books.held(capture(world.ada, held))
    assert now_of(done) == ("posted", 600, 600, 0)
    assert done.row["booked_at"] is not None
    assert (done.row["source_balance"], done.row["source_held"], done.row["source_available"]) == (
        400,
        0,
        400,
    )
    query = "SELECT * FROM transfers WHERE pending_key = :key"
    (made,) = world.books.rows(query, key=held.row["key"])
    assert (made.status, made.kind, made.amount, made.captured) == ("posted", "transfer", 600, None)
    assert (made.description, made.external_id, made.initiated_by) == ("table", "t-1", world.ada.id)
    assert world.money() == (400, 0, 0)
    assert world.money(world.two) == (600, 0, 0)
    world.books.assert_right()


def test_a_hold_is_captured_in_parts_until_nothing_is_left(world: World) -> None:
    held = world.hold(600)
    assert now_of(world.books.held(capture(world.ada, held, 200))) == ("pending", 600, 200, 400)
    assert world.money() == (800, 400, 0)
    world.books.refused(capture(world.ada, held, 401), "validation_failed", "amount")
    assert now_of(world.books.held(capture(world.ada, held, 399))) == ("pending", 600, 599, 1)
    assert now_of(world.books.held(capture(world.ada, held, 1))) == ("posted", 600, 600, 0)
    world.books.refused(capture(world.ada, held, 1), "hold_not_active")
    world.books.refused(void(world.ada, held), "hold_not_active")
    world.books.refused(increment(world.ada, held, 1), "hold_not_active")
    assert history(world.books, held) == [
        ("created", 600, 600),
        ("captured", 200, 400),
        ("captured", 399, 1),
        ("captured", 1, 0),
    ]
    world.books.assert_right()


def test_a_final_capture_lets_go_of_the_rest(world: World) -> None:
    held = world.hold(600)
    done = world.books.held(capture(world.ada, held, 200, final=True))
    assert now_of(done) == ("posted", 600, 200, 0)
    assert world.money() == (800, 0, 0)
    world.books.refused(capture(world.ada, held, 1), "hold_not_active")
    world.books.assert_right()


def test_a_void_lets_go_of_what_is_left_and_keeps_what_was_captured(world: World) -> None:
    held = world.hold(600)
    world.books.held(capture(world.ada, held, 200))
    assert now_of(world.books.held(void(world.ada, held))) == ("voided", 600, 200, 0)
    assert world.money() == (800, 0, 0)
    assert world.money(world.two) == (200, 0, 0)
    for command in (void(world.ada, held), capture(world.ada, held), increment(world.ada, held, 1)):
        world.books.refused(command, "hold_not_active")
    assert history(world.books, held)[-1] == ("voided", 400, 0)
    world.books.assert_right()


def test_an_increment_reserves_more_as_far_as_money_is_available(world: World) -> None:
    held = world.hold(600)
    assert now_of(world.books.held(increment(world.ada, held, 150))) == ("pending", 750, 0, 750)
    world.books.refused(increment(world.ada, held, 251), "insufficient_funds")
    world.books.held(capture(world.ada, held, 700))
    assert now_of(world.books.held(increment(world.ada, held, 250))) == ("pending", 1000, 700, 300)
    assert now_of(world.books.held(capture(world.ada, held))) == ("posted", 1000, 1000, 0)
    assert world.money() == (0, 0, 0)
    world.books.assert_right()


def test_acts_on_one_hold_in_one_batch_see_each_other(world: World) -> None:
    held = world.hold(600)
    outcomes = world.books.post(
        capture(world.ada, held, 200),
        increment(world.ada, held, 100),
        capture(world.ada, held, 500),
        void(world.ada, held),
        pay(world.ada, world.one, world.two, 300),
    )
    assert [told(one) for one in outcomes] == ["posted", "posted", "posted", "hold_not_active", "posted"]
    assert [act for act, *_ in history(world.books, held)] == [
        "created",
        "captured",
        "incremented",
        "captured",
    ]
    assert world.money() == (0, 0, 0)
    world.books.assert_right()


def test_the_payer_and_staff_act_on_a_hold_and_nobody_else(world: World) -> None:
    books, stranger = world.books, world.books.person()
    held = world.hold(600)
    acts: list[Any] = [lambda who: capture(who, held, 1), lambda who: increment(who, held, 1)]
    acts.append(lambda who: void(who, held))
    for act in acts:
        books.refused(act(stranger), "not_found", "transfer_id")
        # The recipient may see the hold.
        books.refused(act(world.ben), "forbidden")
        for role in (Role.AUDITOR, Role.ADMIN):
            books.refused(act(books.person(role)), "forbidden")
        books.refused(act(books.person(Role.NETWORK)), "not_found", "transfer_id")
    for who in (world.ada, books.teller, books.person(Role.OPERATOR)):
        books.held(capture(who, held, 1))
        books.held(increment(who, held, 1))
    books.held(void(books.person(Role.OPERATOR), held))


def test_who_pays_themselves_is_the_payer(world: World) -> None:
    mine = world.books.account(world.ada)
    held = world.books.held(hold(world.ada, world.one, mine))
    assert now_of(world.books.held(capture(world.ada, held)))[0] == "posted"


def test_what_is_no_hold_is_told_apart_from_what_is_not_there(world: World) -> None:
    books = world.books
    posted = books.did(pay(world.ada, world.one, world.two, 100))
    for act in (lambda which: capture(world.ada, which), lambda which: void(world.ada, which)):
        books.refused(act(posted.row["id"]), "hold_not_active")
        for unknown in (ids.new_id(ids.TRANSFER), "trf_no", posted.row["id"].upper(), world.one.id):
            books.refused(act(unknown), "not_found", "transfer_id")
    held = world.hold(600)
    books.held(capture(world.ada, held, 1))
    (made,) = books.rows("SELECT id FROM transfers WHERE pending_key IS NOT NULL")
    books.refused(capture(world.ada, made.id), "hold_not_active")


def test_a_card_payments_hold_is_not_the_cardholders_to_act_on_as_a_transfer(world: World) -> None:
    books = world.books
    shops = BankAccount(AccountKind.CARD_SETTLEMENT)
    command = HoldTransfer(
        world.ada, Key("card", b"1" * 32), TransferKind.CARD_PAYMENT, world.one.own, shops, 100, "EUR"
    )
    held, network = books.held(command), books.person(Role.NETWORK)
    for who in (world.ada, books.teller):
        books.refused(void(who, held), "forbidden")
    books.refused(capture(network, held), "not_found", "transfer_id")
    assert books.system("card_settlement") == 0


def test_a_hold_says_no_to_what_a_payment_says_no_to(world: World) -> None:
    books = world.books
    books.refused(hold(world.ben, world.one, world.two), "not_found", "account")
    books.refused(hold(world.ada, world.one, world.one), "same_account")
    books.refused(hold(world.ada, world.one, world.two, currency="USD"), "currency_mismatch", "currency")
    books.set(world.two, status="closed")
    books.refused(hold(world.ada, world.one, world.two), "destination_unavailable")
    books.set(world.one, status="frozen")
    books.refused(hold(world.ada, world.one, world.two), "account_frozen")
    assert world.money() == (1000, 0, 0)


def test_a_freeze_stops_new_reservations_and_not_what_was_reserved_before(world: World) -> None:
    held = world.hold(600)
    world.books.set(world.one, status="frozen")
    world.books.refused(increment(world.ada, held, 1), "account_frozen")
    world.books.refused(capture(world.ada, held, 200), "account_frozen")
    world.books.held(capture(world.books.teller, held, 200))
    world.books.held(void(world.ada, held))
    assert world.money() == (800, 0, 0)


def test_a_destination_that_has_closed_takes_nothing(world: World) -> None:
    books = world.books
    mine = books.account(world.ada)
    to_ben, to_me = world.hold(300), books.held(hold(world.ada, world.one, mine, 300))
    books.set(world.two, status="closed")
    books.set(mine, status="closed")
    for act in (lambda held: capture(world.ada, held), lambda held: increment(world.ada, held, 1)):
        books.refused(act(to_ben), "destination_unavailable")
        books.refused(act(to_me), "account_closed")
    books.held(void(world.ada, to_ben))
    assert world.money() == (1000, 300, 0)


def test_a_hold_is_no_transfer_to_be_reversed_and_its_capture_is_one(world: World) -> None:
    books = world.books
    held = world.hold(600)
    books.refused(reverse(books.teller, held), "not_reversible")
    books.held(capture(world.ada, held))
    books.refused(reverse(books.teller, held), "not_reversible")
    (made,) = books.rows("SELECT id FROM transfers WHERE pending_key IS NOT NULL")
    books.did(reverse(books.teller, made.id))
    assert (world.money(), world.money(world.two)) == ((1000, 0, 0), (0, 0, 0))
    books.assert_right()


def test_captures_above_the_hold_are_new_payments_within_the_tolerance(world: World) -> None:
    books = world.books
    held = world.hold(500)
    books.refused(capture(world.ada, held, 501), "validation_failed", "amount")
    books.refused(capture(world.ada, held, 601, tolerance=20), "validation_failed", "amount")
    books.held(capture(world.ada, held, 400, tolerance=20))
    books.did(pay(world.ada, world.one, world.two, 401))
    books.refused(capture(world.ada, held, 200, tolerance=20), "insufficient_funds")
    books.refused(capture(world.ada, held, 201, tolerance=20), "validation_failed", "amount")
    done = books.held(capture(world.ada, held, 199, tolerance=20))
    assert now_of(done) == ("posted", 500, 599, 0)
    assert world.money() == (0, 0, 0)
    books.assert_right()


def test_each_act_is_told_again_as_it_was_then(world: World) -> None:
    books = world.books
    first = hold(world.ada, world.one, world.two, 600, description="table", metadata={"a": "b"})
    held, other = books.held(first), world.hold(100)
    acts: list[Command] = [
        capture(world.ada, held, 100),
        increment(world.ada, held, 50),
        capture(world.ada, held, 50, final=True),
        void(world.ada, other),
    ]
    firsts = [(first, held), *((act, books.held(act)) for act in acts)]
    books.did(deposit(world.ada, world.one, 77))
    before = books.state()
    for command, answer in firsts:
        again = books.held(command)
        assert again.replayed
        assert again.sequence == answer.sequence
        assert {name: again.row[name] for name in answer.row} == answer.row
    together = books.post(*(command for command, _ in firsts))
    assert [told(one) for one in together] == ["replayed"] * 5
    assert books.state() == before


def test_a_key_is_for_one_act(world: World) -> None:
    held = world.hold(600, key="h")
    world.books.held(capture(world.ada, held, 1, key="c"))
    for command in (
        capture(world.ada, held, 2, key="c"),
        void(world.ada, held, key="c"),
        increment(world.ada, held, 1, key="h"),
        pay(world.ada, world.one, world.two, 1, key="c"),
    ):
        world.books.refused(command, "idempotency_key_reused")
    twice = [capture(world.ada, held, 5, key="d")] * 2
    assert [told(one) for one in world.books.post(*twice)] == ["posted", "replayed"]
    assert world.money() == (994, 594, 0)


def test_each_act_and_each_refusal_leaves_a_trace(world: World) -> None:
    held = world.hold(600)
    world.books.held(capture(world.ada, held, 1))
    world.books.held(increment(world.ada, held, 1))
    world.books.held(void(world.ada, held))
    world.books.refused(void(world.ada, held), "hold_not_active")
    world.books.refused(void(world.ada, "trf_no"), "not_found", "transfer_id")
    query = "SELECT action, object_id, outcome FROM audit_log WHERE actor = :actor ORDER BY id"
    hold_id = held.row["id"]
    traces = [tuple(row) for row in world.books.rows(query, actor=world.ada.id)]
    assert traces[-6:] == [
        ("transfer.hold", hold_id, "success"),
        ("transfer.capture", hold_id, "success"),
        ("transfer.increment", hold_id, "success"),
        ("transfer.void", hold_id, "success"),
        ("transfer.void", hold_id, "hold_not_active"),
        ("transfer.void", None, "not_found"),
    ]


def test_a_batch_without_holds_asks_nothing_about_them(world: World) -> None:
    books = world.books
    with statements(books.db) as sent:
        books.did(pay(world.ada, world.one, world.two, 1))
    assert not [one for one in sent if "hold_events" in one or "expires_at <=" in one]


def test_a_batch_of_many_acts_costs_what_a_batch_of_one_does(world: World) -> None:
    books = world.books

    def cost(number: int) -> int:
        held = [world.hold(10) for _ in range(number)]
        with statements(books.db) as sent:
            outcomes = books.post(*(capture(world.ada, one, 4) for one in held))
        assert [told(one) for one in outcomes] == ["posted"] * number
        return len(sent)

    assert cost(1) == cost(30)


def test_people_with_one_hold_each_do_not_meet(db: Database) -> None:
    world = World(db)
    caller: Caller = world.books.person()
    mine = world.books.account(caller, money=50)
    theirs, own = world.hold(100), world.books.held(hold(caller, mine, world.two, 50))
    outcomes = world.books.post(capture(world.ada, theirs), void(caller, own), void(caller, theirs))
    assert [told(one) for one in outcomes] == ["posted", "posted", "not_found"]
    assert not isinstance(outcomes[0], BankingError)
    assert clock.to_micros(outcomes[0].row["booked_at"]) >= clock.to_micros(theirs.row["created_at"])
