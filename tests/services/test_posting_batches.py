"""Many commands in one batch: one outcome each, and neighbours that do not feel each other."""

import re
from datetime import timedelta

import pytest

from app.core import clock
from app.db.unit_of_work import Database
from app.ledger.batch import AddressBook, load
from app.ledger.commands import AnyAccount, Command, OwnAccount, Posted
from app.services import idempotency
from tests.books import Books, deposit, move, pay, reverse, statements, told, withdraw


def words(books: Books, *commands: Command) -> list[str]:
    return [told(outcome) for outcome in books.post(*commands)]


def test_each_command_has_its_outcome_in_the_order_of_the_batch(db: Database) -> None:
    books = Books(db)
    ada, ben = books.person(), books.person()
    one, two = books.account(ada, money=100), books.account(ben)
    assert words(
        books,
        pay(ada, one, two, 60),
        pay(ada, one, two, 60),
        pay(ben, two, one, 60),
        pay(ada, one, two, 100),
        deposit(books.teller, two, 5),
        withdraw(ben, two, 106),
        withdraw(ben, two, 105),
    ) == ["posted", "insufficient_funds", "posted", "posted", "posted", "insufficient_funds", "posted"]
    assert (books.balance(one), books.balance(two)) == (0, 0)
    books.assert_right()


def test_what_comes_after_a_reversal_is_posted_like_what_comes_before(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada, money=100), books.account()
    posted = books.did(pay(ada, one, two, 100))
    assert words(books, reverse(books.teller, posted), pay(ada, one, two, 99)) == ["posted"] * 2
    assert books.balance(one) == 1


def test_a_refusal_leaves_no_mark_but_its_trace(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada, money=100), books.account()
    before, traces = books.state(), books.count("audit_log")
    assert words(books, pay(ada, one, two, 101), reverse(books.teller, "trf_none")) == [
        "insufficient_funds",
        "not_found",
    ]
    assert books.state() == before
    assert books.count("audit_log") == traces + 2


def test_an_empty_batch_is_no_batch(db: Database) -> None:
    books = Books(db)
    assert books.post() == []


def test_a_key_that_comes_twice_in_a_batch_is_posted_once(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada, money=100), books.account()
    again, other = pay(ada, one, two, 60, key="k"), pay(ada, one, two, 30, key="k")
    outcomes = books.post(again, again, other, again)
    assert [told(outcome) for outcome in outcomes] == [
        "posted",
        "replayed",
        "idempotency_key_reused",
        "replayed",
    ]
    first, second = outcomes[0], outcomes[3]
    assert isinstance(first, Posted)
    assert isinstance(second, Posted)
    assert (second.row, second.sides) == (first.row, first.sides)
    assert books.balance(one) == 40


def test_a_key_whose_first_command_was_refused_is_judged_by_itself(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada), books.account()
    much, less = pay(ada, one, two, 60, key="k"), pay(ada, one, two, 20, key="k")
    assert words(books, much, much, deposit(ada, one, 30), much, less, less, much) == [
        "insufficient_funds",
        "insufficient_funds",
        "posted",
        "insufficient_funds",
        "posted",
        "replayed",
        "idempotency_key_reused",
    ]
    assert books.balance(two) == 20


def test_keys_of_two_callers_have_nothing_to_do_with_each_other(db: Database) -> None:
    books = Books(db)
    ada, ben = books.person(), books.person()
    one, two = books.account(ada, money=100), books.account(ben, money=100)
    assert words(books, pay(ada, one, two, key="k"), pay(ben, two, one, key="k")) == ["posted"] * 2
    assert words(books, pay(ada, one, two, key="k"), pay(ben, two, one, key="k")) == ["replayed"] * 2


def test_a_key_belongs_to_its_caller_in_whatever_session(db: Database) -> None:
    books = Books(db)
    ada, other = books.person(), books.person()
    one, two = books.account(ada, money=100), books.account()
    books.did(pay(ada, one, two, key="k"))
    books.run("UPDATE sessions SET user_id = :id WHERE user_id = :other", id=ada.id, other=other.id)
    later = type(ada)(ada.id, ada.role, other.session_id, ada.origin)
    assert words(books, pay(later, one, two, key="k")) == ["replayed"]


def test_a_key_that_was_used_for_something_else_is_reused(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada, money=300), books.account()
    posted = books.did(pay(ada, one, two, key="k"))
    books.did(deposit(books.teller, one, key="t"))
    assert (
        words(
            books,
            deposit(ada, one, key="k"),
            withdraw(ada, one, key="k"),
            reverse(books.teller, posted, key="t"),
        )
        == ["idempotency_key_reused"] * 3
    )
    books.did(reverse(books.teller, posted, key="r"))
    assert words(books, deposit(books.teller, one, key="r")) == ["idempotency_key_reused"]


@pytest.mark.parametrize("location", [None, "/v1/accounts/acc_1", "/v1/transfers/trf_of_another_kind"])
def test_a_key_of_another_kind_of_record_is_reused_even_with_the_same_fingerprint(
    db: Database, location: str | None
) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada, money=300), books.account()
    command = pay(ada, one, two, key="k")
    request = idempotency.KeyedRequest(ada.id, "k", command.key.fingerprint)
    db.run_write(
        idempotency.run_once,
        request=request,
        act=lambda _: None,
        render=lambda _: idempotency.Answer(201, "{}", location),
        keep=lambda answer: answer,
    )
    assert words(books, command, command) == ["idempotency_key_reused"] * 2
    assert books.balance(one) == 300


def test_a_postings_key_is_reused_for_anything_else_even_with_the_same_fingerprint(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada, money=300), books.account()
    command = pay(ada, one, two, key="k")
    books.did(command)
    with pytest.raises(Exception, match="idempotency_key_reused"):
        db.run_write(
            idempotency.run_once,
            request=idempotency.KeyedRequest(ada.id, "k", command.key.fingerprint),
            act=lambda _: pytest.fail("it was done"),
            render=lambda _: idempotency.Answer(201, "{}"),
            keep=lambda answer: answer,
        )


ENDED = {
    "logged out": "UPDATE sessions SET ended_at = :now WHERE id = :session",
    "too old": "UPDATE sessions SET expires_at = :now WHERE id = :session",
    "deactivated": "UPDATE users SET is_active = false WHERE id = :user",
    "unknown": "DELETE FROM sessions WHERE id = :session",
}


@pytest.mark.parametrize("how", ENDED)
def test_no_money_moves_on_a_dead_session_and_neighbours_do_not_mind(db: Database, how: str) -> None:
    books = Books(db)
    ada, ben = books.person(), books.person()
    one, two = books.account(ada, money=300), books.account(ben, money=300)
    done = pay(ada, one, two)
    posted = books.did(done)
    clerk = books.person(books.teller.role)
    now = clock.to_micros(clock.now() - timedelta(seconds=1))
    for dead in (ada, clerk):
        values = {"now": now, "session": dead.session_id, "user": dead.id}
        used = {name: value for name, value in values.items() if f":{name}" in ENDED[how]}
        books.run(ENDED[how], **used)
    before, traces = books.state(), books.count("audit_log")
    unknown = pay(ada, one, two, 10**9)
    assert words(books, done, pay(ada, one, two), unknown, reverse(clerk, posted)) == ["unauthenticated"] * 4
    assert books.state() == before
    assert books.count("audit_log") == traces
    assert words(books, pay(ada, one, two), pay(ben, two, one), deposit(clerk, one)) == [
        "unauthenticated",
        "posted",
        "unauthenticated",
    ]
    assert (books.balance(one), books.balance(two)) == (300, 300)


def test_a_batch_takes_no_account_and_no_session_but_those_it_speaks_of(db: Database) -> None:
    books = Books(db)
    ada, ben = books.person(), books.person()
    one, _ = books.account(ada, money=100), books.account(ben, currency="USD")
    [cash] = books.rows("SELECT key FROM accounts WHERE kind = 'cash' AND currency = 'EUR'")
    batch = db.run_write(
        lambda session: load(session, [deposit(ada, one), withdraw(ada, one)], AddressBook())
    )
    assert set(batch.accounts) == {one.key, cash.key}
    assert batch.live_sessions == {ada.session_id}


def test_the_version_of_an_account_is_one_more_after_each_batch_that_touches_it(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    one, two, three = (books.account(ada, money=100) for _ in range(3))

    def versions() -> list[int]:
        return [
            row.version
            for row in books.rows("SELECT version FROM accounts WHERE number IS NOT NULL ORDER BY key")
        ]

    before = versions()
    books.did(pay(ada, one, two))
    books.post(pay(ada, two, one, 1), pay(ada, two, one, 1), pay(ada, three, one, 101))
    assert [now - then for now, then in zip(versions(), before, strict=True)] == [2, 2, 0]


def test_a_batch_costs_the_same_statements_whatever_its_size(db: Database) -> None:
    books = Books(db)
    people = [books.person() for _ in range(3)]
    accounts = [books.account(person, money=10**6) for person in people]

    def cost(size: int) -> list[str]:
        with statements(db) as sent:
            outcomes = books.post(
                *(
                    pay(people[n % 3], accounts[n % 3], accounts[(n + 1) % 3], 1 + n, key=f"{size}-{n}")
                    for n in range(size)
                )
            )
        assert {told(outcome) for outcome in outcomes} == {"posted"}
        return [statement.split("(")[0] for statement in sent]

    one = cost(1)
    assert len(one) == len(cost(16)) == len(cost(200)) <= 11


def test_so_does_a_batch_of_everything(db: Database) -> None:
    books = Books(db, limits={"EUR": 10**6})
    ada = books.person()
    one, two = books.account(ada, money=10**6), books.account(ada)

    def cost(size: int) -> int:
        earlier = [books.did(pay(ada, one, two, 1)) for _ in range(size)]
        books.did(pay(ada, one, two, 1, key=f"again-{size}"))
        commands: list[Command] = []
        for n in range(size):
            commands += [
                pay(ada, one, two, 2, key=f"{size}-{n}"),
                deposit(ada, one, 2),
                withdraw(ada, two, 1),
                reverse(books.teller, earlier[n]),
                pay(ada, one, two, 10**9),
                pay(ada, one, two, 1, key=f"again-{size}"),
            ]
        with statements(db) as sent:
            outcomes = books.post(*commands)
        assert [told(outcome) for outcome in outcomes] == [
            "posted",
            "posted",
            "posted",
            "posted",
            "limit_exceeded",
            "replayed",
        ] * size
        return len(sent)

    assert cost(1) == cost(3) == cost(34) <= 15
    books.assert_right()


def asked(sent: list[str]) -> list[str]:
    """What each statement does and to which table, without the beginning of the transaction."""
    form = re.compile(r"(SELECT)\b.*?FROM\s+(\w+)|(INSERT) INTO (\w+)|(UPDATE) (\w+)", re.S)
    return [" ".join(part for part in match.groups() if part) for one in sent if (match := form.match(one))]


WRITES = ["INSERT transfers", "INSERT entries", "INSERT idempotency_keys", "INSERT audit_log"]
READS = ["SELECT accounts", "SELECT idempotency_keys", "SELECT sessions"]


def test_a_plain_batch_asks_and_writes_what_it_must_and_nothing_else(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada, money=100), books.account(ada)
    books.did(pay(ada, one, two, 1))
    with statements(db) as sent:
        books.did(pay(ada, one, two, 2))
    assert asked(sent) == [*READS, *WRITES, "UPDATE accounts"]


def test_accounts_are_looked_for_once_and_never_by_what_none_can_be_called(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada, money=100), books.account(ada)
    with statements(db) as sent:
        books.did(pay(ada, one, two, 1))
    # By number (the first one's id is known, since money was paid in), and then the lock.
    assert asked(sent)[:3] == ["SELECT accounts", *READS[:2]]
    nonsense = move(ada, OwnAccount("acc_nonsense", "source"), AnyAccount("12345", "destination"), 1)
    with statements(db) as sent:
        books.refused(nonsense, "not_found", "source")
    assert asked(sent) == ["SELECT idempotency_keys", "SELECT sessions", "INSERT audit_log"]
