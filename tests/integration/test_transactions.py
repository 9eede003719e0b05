"""Deposits and withdrawals, and the entries that come of every movement."""

from collections.abc import Iterator

import pytest

from app.core.caller import Role
from app.core.config import Settings
from tests.bank import TRANSACTIONS, assert_right, count, customer, keyed, put, rows, staff, walk_in
from tests.client import ApiClient, error_of, running


def test_a_deposit_raises_and_a_withdrawal_lowers_the_balance(client: ApiClient) -> None:
    ada = customer(client)
    paid_in = ada.fund("deposit", 1000, description="Wages")
    assert paid_in.status_code == 201
    made = paid_in.json()
    assert made == {
        "id": made["id"],
        "account_id": ada.id,
        "transfer_id": made["transfer_id"],
        "type": "deposit",
        "amount": 1000,
        "currency": "EUR",
        "balance_after": 1000,
        "description": "Wages",
        "counterparty": {"name": "cash", "account_number": None},
        "merchant": None,
        "booked_at": made["booked_at"],
        "value_date": made["booked_at"][:10],
    }
    assert ada.balance() == 1000
    taken = ada.fund("withdrawal", 300)
    assert (taken.status_code, taken.json()["amount"], taken.json()["balance_after"]) == (201, -300, 700)
    assert ada.balance() == 700
    for answer in (paid_in, taken):
        assert answer.headers["Location"] == f"{TRANSACTIONS}/{answer.json()['id']}"
        assert ada.person.get(answer.headers["Location"]).json() == answer.json()
    listed = [taken.json(), made]
    for path in (TRANSACTIONS, f"{TRANSACTIONS}?account_id={ada.id}", f"/v1/accounts/{ada.id}/transactions"):
        assert ada.person.get(path).json()["data"] == listed


def test_money_comes_from_the_banks_cash_and_goes_back_there(client: ApiClient) -> None:
    ada = customer(client, money=1000)
    assert ada.fund("withdrawal", 300).status_code == 201
    cash = "SELECT balance FROM accounts WHERE kind = 'cash' AND currency = 'EUR'"
    assert rows(client.db, cash) == [(-700,)]
    assert count(client.db, "entries") == 4
    assert rows(client.db, "SELECT sum(amount) FROM entries") == [(0,)]
    assert_right(client.db)


def test_more_than_there_is_is_not_paid_out(client: ApiClient) -> None:
    ada = customer(client, money=100)
    error_of(ada.fund("withdrawal", 101), 409, "insufficient_funds")
    assert (ada.balance(), count(client.db, "entries")) == (100, 2)
    assert ada.fund("withdrawal", 100).status_code == 201
    error_of(ada.fund("withdrawal", 1), 409, "insufficient_funds")


def test_a_frozen_account_takes_and_does_not_give_and_a_closed_one_neither(client: ApiClient) -> None:
    ada = customer(client, money=100)
    put(client.db, ada, status="frozen")
    error_of(ada.fund("withdrawal", 1), 409, "account_frozen")
    assert ada.deposit(1).status_code == 201
    put(client.db, ada, status="active")
    assert ada.fund("withdrawal", 101).status_code == 201
    assert ada.close().status_code == 200
    for type_ in ("deposit", "withdrawal"):
        error_of(ada.fund(type_, 1), 409, "account_closed")
    assert ada.balance() == 0


def test_a_retry_is_answered_as_the_first_time(client: ApiClient) -> None:
    ada = customer(client)
    first = ada.deposit(100, key="k")
    assert ada.fund("withdrawal", 60).status_code == 201
    again = ada.deposit(100, key="k")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Location"] == first.headers["Location"]
    assert (first.headers.get("Idempotent-Replayed"), again.headers["Idempotent-Replayed"]) == (None, "true")
    assert ada.balance() == 40
    for changed in ({"amount": 101}, {"type_": "withdrawal"}, {"description": "x"}, {"currency": "USD"}):
        fields = {"type_": "deposit", "amount": 100} | changed
        error_of(ada.fund(key="k", **fields), 422, "idempotency_key_reused")
    assert ada.fund("deposit", 100, key="k", description=None).content == first.content, "null is absent"
    assert ada.balance() == 40


def test_a_refused_withdrawal_frees_its_key(client: ApiClient) -> None:
    ada = customer(client)
    error_of(ada.fund("withdrawal", 10, key="k"), 409, "insufficient_funds")
    assert ada.deposit(10).status_code == 201
    assert ada.fund("withdrawal", 10, key="k").status_code == 201
    assert ada.balance() == 0


def test_money_needs_a_key(client: ApiClient) -> None:
    ada = customer(client)
    body = {"account_id": ada.id, "type": "deposit", "amount": 1, "currency": "EUR"}
    error_of(ada.person.post(TRANSACTIONS, json=body), 400, "idempotency_key_required")
    assert (ada.balance(), count(client.db, "transfers")) == (0, 0)


@pytest.mark.parametrize("type_", ["transfer", "DEPOSIT", "", None, 1, "fee"])
def test_only_deposits_and_withdrawals_are_made_here(client: ApiClient, type_: object) -> None:
    ada = customer(client)
    error = error_of(ada.fund("deposit", 1, type=type_), 422, "validation_failed")
    assert [(detail["field"], detail["code"]) for detail in error["details"]] == [("type", "not_allowed")]


def test_a_description_is_kept_to_the_letter_and_not_longer_than_140(client: ApiClient) -> None:
    ada = customer(client)
    longest = "Zoë \u202f👩‍👩‍👧 ' \" <b> =1+1 " + "𝄞" * 116
    assert len(longest) == 140
    made = ada.fund("deposit", 1, description=longest)
    assert made.json()["description"] == longest
    assert ada.person.get(made.headers["Location"]).json()["description"] == longest
    for text, code in (
        (longest + "x", "too_long"),
        ("", "too_short"),
        (" ", "blank"),
        ("a\nb", "invalid_characters"),
        ("a\u202eb", "invalid_characters"),
        (5, "wrong_type"),
    ):
        error = error_of(ada.fund("deposit", 1, description=text), 422, "validation_failed")
        assert [(d["field"], d["code"]) for d in error["details"]] == [("description", code)], text
    error_of(ada.fund("deposit", 1, description="a\0b"), 400, "malformed_json")
    assert ada.balance() == 1


def test_every_entry_leads_to_its_transfer_and_the_transfer_to_both_accounts(client: ApiClient) -> None:
    ada, bob = customer(client, money=100), customer(client, "bob")
    transfer = ada.pay(bob, 40, description="Lunch").json()
    sides = []
    for person in (ada, bob):
        (entry,) = person.person.get(TRANSACTIONS, params={"type": "transfer"}).json()["data"]
        assert entry["transfer_id"] == transfer["id"]
        assert entry["booked_at"] == transfer["booked_at"]
        assert person.person.get(f"/v1/transfers/{entry['transfer_id']}").json()["id"] == transfer["id"]
        sides.append((entry["account_id"], entry["amount"], entry["balance_after"], entry["description"]))
    assert sides == [(ada.id, -40, 60, "Lunch"), (bob.id, 40, 40, "Lunch")]


def test_the_other_side_is_shown_by_initials_and_last_four_digits(client: ApiClient) -> None:
    ada, bob = customer(client, money=100), customer(client, "bob")
    assert ada.pay(bob, 40).status_code == 201
    for person, other, initials in ((ada, bob, "B. E."), (bob, ada, "A. E.")):
        answer = person.person.get(TRANSACTIONS, params={"type": "transfer"})
        (entry,) = answer.json()["data"]
        assert entry["counterparty"] == {"name": initials, "account_number": f"****{other.number[-4:]}"}
        assert other.number not in answer.text
        assert other.id not in answer.text


@pytest.fixture
def strict(settings: Settings) -> Iterator[ApiClient]:
    with running(settings.model_copy(update={"self_service_funding": False})) as client:
        yield client


def test_where_self_service_is_off_tellers_fund_and_customers_do_not(strict: ApiClient) -> None:
    ada, teller = customer(strict), staff(strict)
    for type_ in ("deposit", "withdrawal"):
        error_of(ada.fund(type_, 1), 403, "forbidden")
    body = {"account_id": ada.id, "type": "deposit", "amount": 70, "currency": "EUR"}
    paid_in = teller.post(TRANSACTIONS, json=body, headers=keyed())
    assert (paid_in.status_code, paid_in.json()["balance_after"]) == (201, 70)
    assert ada.person.get(paid_in.headers["Location"]).json() == paid_in.json()
    taken = teller.post(TRANSACTIONS, json=body | {"type": "withdrawal", "amount": 20}, headers=keyed())
    assert taken.status_code == 201
    assert ada.balance() == 50
    assert walk_in(teller, money=5).balance() == 5


@pytest.mark.parametrize(
    ("environment", "chosen", "expected"),
    [
        ("dev", None, True),
        ("test", None, True),
        ("staging", None, False),
        ("prod", None, False),
        ("prod", True, True),
        ("dev", False, False),
    ],
)
def test_self_service_and_playing_the_network_are_for_trying_out_unless_the_bank_says_otherwise(
    environment: str, chosen: bool | None, expected: bool
) -> None:
    settings = Settings(
        _env_file=None,
        app_env=environment,
        jwt_secret="a secret of the tests, long enough",
        card_key="another one of the tests, long enough",
        database_url="sqlite:///bank.db",
        self_service_funding=chosen,
        card_simulation=chosen,
    )
    assert (settings.customers_fund, settings.owners_play_network) == (expected, expected)


def test_only_customers_and_tellers_move_cash(client: ApiClient) -> None:
    ada = customer(client, money=10)
    body = {"account_id": ada.id, "type": "deposit", "amount": 1, "currency": "EUR"}
    for role in (Role.OPERATOR, Role.AUDITOR, Role.ADMIN, Role.NETWORK):
        error_of(staff(client, role).post(TRANSACTIONS, json=body, headers=keyed()), 403, "forbidden")
    assert ada.balance() == 10
