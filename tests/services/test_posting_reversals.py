"""Taking a transfer back: whole, once, never below the recipient's floor."""

import threading

from app.core import ids
from app.core.caller import Role
from app.core.errors import BankingError
from app.db.unit_of_work import Database
from app.ledger.posting import Outcome
from app.services.transfers import get_transfer
from tests.books import Books, deposit, pay, reverse, told, withdraw


def test_a_reversal_moves_everything_back_and_says_what_it_reverses(db: Database) -> None:
    books = Books(db)
    ada, ben = books.person(), books.person()
    one, two = books.account(ada, money=1000), books.account(ben, money=50)
    posted = books.did(pay(ada, one, two, 300))
    undone = books.did(reverse(books.teller, posted))
    assert (undone.row["kind"], undone.row["amount"], undone.row["currency"]) == ("reversal", 300, "EUR")
    assert (undone.row["source_id"], undone.row["destination_id"]) == (two.id, one.id)
    assert [side.amount for side in undone.sides] == [-300, 300]
    assert (books.balance(one), books.balance(two)) == (1000, 50)
    books.assert_right()
    seen = db.run_read(get_transfer, caller=ada, transfer_id=posted.row["id"])
    assert (seen.Transfer.status, seen.reversed_by_id) == ("posted", undone.row["id"])
    seen = db.run_read(get_transfer, caller=ada, transfer_id=undone.row["id"])
    assert (seen.reverses_id, seen.reversed_by_id) == (posted.row["id"], None)


def test_a_transfer_is_reversed_once_and_a_reversal_never(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada, money=1000), books.account(money=1000)
    posted = books.did(pay(ada, one, two, 300))
    outcomes = books.post(reverse(books.teller, posted), reverse(books.teller, posted))
    assert [told(outcome) for outcome in outcomes] == ["posted", "already_reversed"]
    books.refused(reverse(books.teller, posted), "already_reversed")
    undone = outcomes[0]
    assert not isinstance(undone, BankingError)
    books.refused(reverse(books.teller, undone), "not_reversible")
    assert books.balance(one) == 1000


def test_a_refused_reversal_leaves_a_trace_with_what_was_to_be_reversed(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada, money=1000), books.account()
    posted = books.did(pay(ada, one, two, 300))
    books.did(reverse(books.teller, posted))
    unknown = ids.new_id(ids.TRANSFER)
    for asked in (posted, unknown, "trf_no_id", one.id):
        (outcome,) = books.post(reverse(books.teller, asked))
        assert isinstance(outcome, BankingError)
    query = (
        "SELECT object_id, outcome FROM audit_log WHERE action = 'transfer.reverse' AND outcome <> 'success'"
    )
    assert [tuple(row) for row in books.rows(f"{query} ORDER BY id")] == [
        (posted.row["id"], "already_reversed"),
        (unknown, "not_found"),
        (None, "not_found"),
        (None, "not_found"),
    ]


def test_of_ten_reversals_at_once_one_is_posted(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada, money=1000), books.account(money=10_000)
    posted = books.did(pay(ada, one, two, 300))
    commands = [reverse(books.person(Role.OPERATOR), posted) for _ in range(10)]
    outcomes: list[Outcome] = []
    gate = threading.Barrier(10)

    def run(number: int) -> None:
        gate.wait()
        outcomes.extend(books.post(commands[number]))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told(outcome) for outcome in outcomes) == [*["already_reversed"] * 9, "posted"]
    assert (books.balance(one), books.balance(two)) == (1000, 10_000)
    books.assert_right()


def test_deposits_and_withdrawals_are_reversed_to_the_cash_desk(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    account = books.account(ada, money=1000)
    paid_in, paid_out = books.did(deposit(ada, account, 300)), books.did(withdraw(ada, account, 200))
    books.did(reverse(books.teller, paid_in))
    books.did(reverse(books.teller, paid_out))
    assert (books.balance(account), books.system()) == (1000, -1000)
    books.assert_right()


def test_nobody_is_taken_below_their_floor(db: Database) -> None:
    books = Books(db)
    ada, ben = books.person(), books.person()
    one, two = books.account(ada, money=300), books.account(ben)
    posted = books.did(pay(ada, one, two, 300))
    books.did(withdraw(ben, two, 1))
    books.refused(reverse(books.teller, posted), "insufficient_funds")
    assert (books.balance(one), books.balance(two)) == (0, 299)
    books.did(deposit(ben, two, 1))
    books.did(reverse(books.teller, posted))
    assert (books.balance(one), books.balance(two)) == (300, 0)


def test_a_closed_side_is_an_obstacle_and_a_frozen_one_is_not(db: Database) -> None:
    books = Books(db)
    ada, ben = books.person(), books.person()
    one, two = books.account(ada, money=300), books.account(ben, money=300)
    away, back = books.did(pay(ada, one, two, 300)), books.did(pay(ben, two, one, 300))
    books.did(withdraw(ada, one, 300))
    books.set(one, status="closed")
    for posted in (away, back):
        books.refused(reverse(books.teller, posted), "account_closed")
    books.set(one, status="frozen")
    books.set(two, status="frozen")
    books.did(reverse(books.teller, away))
    assert (books.balance(one), books.balance(two)) == (300, 0)


def test_a_transfer_that_is_not_there_cannot_be_reversed(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    account = books.account(ada, money=300)
    posted = books.did(deposit(ada, account))
    for name in (posted.row["id"][:-1] + "?", posted.row["id"].upper(), posted.sides[0].entry_id):
        books.refused(reverse(books.teller, name), "not_found", "transfer_id")
    traces = books.rows("SELECT object_id, outcome FROM audit_log WHERE action = 'transfer.reverse'")
    assert [tuple(row) for row in traces] == [(None, "not_found")] * 3


def test_what_was_paid_by_card_cannot_be_reversed(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada, money=1000), books.account()
    posted = books.did(pay(ada, one, two, 300))
    for kind in ("card_payment", "card_refund"):
        books.run("UPDATE transfers SET kind = :kind WHERE id = :id", kind=kind, id=posted.row["id"])
        books.refused(reverse(books.teller, posted), "not_reversible")
    assert books.balance(two) == 300
