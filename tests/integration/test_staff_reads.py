"""What staff see and do leaves a trace: who, what, from where, how it ended."""

from collections.abc import Callable

import httpx
import pytest

from app.core.caller import Role
from tests.bank import TRANSFERS, Customer, customer, keyed, put, rows, staff, walk_in
from tests.client import ApiClient, Person, error_of

TELLER_ADDRESS = "192.0.2.77"
Trace = tuple[str | None, ...]


@pytest.fixture
def ada(client: ApiClient) -> Customer:
    return customer(client, money=1000)


def traces(client: ApiClient, of: Person) -> list[Trace]:
    """(action, object, outcome, address, request id) of everything that somebody has done."""
    actor = of.get("/v1/auth/me").json()["id"]
    query = (
        "SELECT action, object_id, outcome, address, request_id FROM audit_log "
        "WHERE actor = :actor AND action NOT LIKE 'session.%' ORDER BY id"
    )
    return rows(client.db, query, actor=actor)


def left_by(client: ApiClient, actor: Person, act: Callable[[], httpx.Response]) -> tuple[Trace, ...]:
    """The traces that one request leaves, without the request id, which is that of the answer."""
    before = traces(client, actor)
    answer = act()
    left = traces(client, actor)[len(before) :]
    assert {trace[-1] for trace in left} <= {answer.headers["X-Request-Id"]}
    return tuple(trace[:-1] for trace in left)


@pytest.mark.parametrize("role", [Role.TELLER, Role.OPERATOR, Role.AUDITOR, Role.ADMIN])
def test_every_read_of_staff_leaves_one_trace(client: ApiClient, ada: Customer, role: Role) -> None:
    person = staff(client.at(TELLER_ADDRESS), role)
    holder = ada.account["account_holder_id"]
    entry = ada.person.get("/v1/transactions").json()["data"][0]
    reads = [
        ("/v1/account-holders", "holder.list", None),
        (f"/v1/account-holders/{holder}", "holder.read", holder),
        ("/v1/accounts", "account.list", None),
        (f"/v1/accounts/{ada.id}", "account.read", ada.id),
        (f"/v1/accounts/{ada.id}/balance", "account.read", ada.id),
        (f"/v1/accounts/{ada.id}/explain", "account.read", ada.id),
        (f"/v1/accounts/{ada.id}/transactions", "transaction.list", ada.id),
        (f"/v1/statements/{ada.id}", "statement.read", ada.id),
        (f"/v1/statements/{ada.id}?format=csv", "statement.read", ada.id),
        (f"/v1/transactions?account_id={ada.id}", "transaction.list", ada.id),
        (f"/v1/transactions/{entry['id']}", "transaction.read", entry["id"]),
        (TRANSFERS, "transfer.list", None),
        (f"{TRANSFERS}?account_id={ada.id}", "transfer.list", ada.id),
        (f"{TRANSFERS}/{entry['transfer_id']}", "transfer.read", entry["transfer_id"]),
    ]
    for path, action, named in reads:

        def look(path: str = path) -> httpx.Response:
            answer = person.get(path)
            assert answer.status_code == 200, path
            return answer

        assert left_by(client, person, look) == ((action, named, "success", TELLER_ADDRESS),), path


def test_what_a_customer_reads_of_their_own_leaves_none(client: ApiClient, ada: Customer) -> None:
    for path in ("/v1/accounts", f"/v1/accounts/{ada.id}", TRANSFERS, "/v1/transactions"):
        assert left_by(client, ada.person, lambda path=path: ada.person.get(path)) == ()


def test_the_card_network_sees_nothing_of_customers(client: ApiClient, ada: Customer) -> None:
    network = staff(client, Role.NETWORK)
    entry = ada.person.get("/v1/transactions").json()["data"][0]
    for path in ("/v1/accounts", "/v1/account-holders", "/v1/transactions", TRANSFERS):
        assert network.get(path).json()["data"] == []
    for path in (
        f"/v1/accounts/{ada.id}",
        f"/v1/accounts/{ada.id}/balance",
        f"/v1/accounts/{ada.id}/transactions",
        f"/v1/transactions?account_id={ada.id}",
        f"{TRANSFERS}?account_id={ada.id}",
        f"/v1/accounts?account_holder_id={ada.account['account_holder_id']}",
        f"/v1/account-holders/{ada.account['account_holder_id']}",
        f"/v1/transactions/{entry['id']}",
        f"{TRANSFERS}/{entry['transfer_id']}",
    ):
        error_of(network.get(path), 404, "not_found")


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.AUDITOR, Role.ADMIN, Role.NETWORK])
def test_who_is_no_teller_moves_no_customers_money(client: ApiClient, ada: Customer, role: Role) -> None:
    person = staff(client, role)
    bob = customer(client, "bob")
    cash = {"account_id": ada.id, "type": "withdrawal", "amount": 1, "currency": "EUR"}
    for path, body in (
        (TRANSFERS, ada.payment(bob, 1)),
        ("/v1/transactions", cash),
        ("/v1/transactions", cash | {"type": "deposit"}),
        (f"/v1/accounts/{ada.id}/close", None),
    ):
        error_of(person.post(path, json=body, headers=keyed()), 403, "forbidden")
    error_of(person.patch(f"/v1/accounts/{ada.id}", json={"nickname": "x"}), 403, "forbidden")
    assert (ada.balance(), bob.balance()) == (1000, 0)


def test_every_act_leaves_one_trace_with_the_thing_that_was_made(client: ApiClient, ada: Customer) -> None:
    teller = staff(client.at(TELLER_ADDRESS))
    guest = walk_in(teller, money=500)
    made: list[httpx.Response] = []

    def act(call: Callable[[], httpx.Response]) -> tuple[Trace, ...]:
        def checked() -> httpx.Response:
            made.append(call())
            assert made[-1].status_code in (200, 201), made[-1].text
            return made[-1]

        return left_by(client, teller, checked)

    def trace(action: str, named: str) -> tuple[Trace, ...]:
        return ((action, named, "success", TELLER_ADDRESS),)

    left = act(lambda: guest.fund("deposit", 5, key="k"))
    assert left == trace("deposit.create", made[-1].json()["transfer_id"])
    assert act(lambda: guest.fund("deposit", 5, key="k")) == (), "a replay is no act"
    left = act(lambda: guest.fund("withdrawal", 5))
    assert left == trace("withdrawal.create", made[-1].json()["transfer_id"])
    left = act(lambda: guest.pay(ada, 5))
    assert left == trace("transfer.create", made[-1].json()["id"])
    paid = made[-1].json()["id"]
    left = act(lambda: teller.post(f"{TRANSFERS}/{paid}/reverse", headers=keyed()))
    assert left == trace("transfer.reverse", made[-1].json()["id"])
    holder = guest.account["account_holder_id"]
    left = act(lambda: teller.patch(f"/v1/account-holders/{holder}", json={"full_name": "Wanda W."}))
    assert left == trace("holder.change", holder)
    left = act(lambda: teller.patch(f"/v1/accounts/{guest.id}", json={"nickname": "x"}))
    assert left == trace("account.rename", guest.id)
    profile = {"full_name": "Walter Walkin", "date_of_birth": "1980-05-06"}
    left = act(lambda: teller.post("/v1/account-holders", json=profile))
    assert left == trace("holder.create", made[-1].json()["id"])
    wanted = {"type": "savings", "currency": "EUR", "account_holder_id": made[-1].json()["id"]}
    left = act(lambda: teller.post("/v1/accounts", json=wanted))
    opened = made[-1].json()["id"]
    assert left == trace("account.open", opened)
    left = act(lambda: teller.post(f"/v1/accounts/{opened}/close", headers=keyed()))
    assert left == trace("account.close", opened)


def test_a_refused_transfer_is_traced_with_its_code_and_hidden_from_the_recipient(
    client: ApiClient, ada: Customer
) -> None:
    bob = customer(client, "bob")
    dollars = customer(client, "cleo", currency="USD")
    unknown = ada.payment(bob, 1) | {"destination_account_number": "000000000000"}
    refusals: list[tuple[Callable[[], httpx.Response], int, str]] = [
        (lambda: ada.pay(bob, 5000), 409, "insufficient_funds"),
        (lambda: ada.pay(dollars, 1), 409, "destination_unavailable"),
        (lambda: ada.pay(ada, 1), 422, "same_account"),
        (lambda: ada.pay(bob, 1, currency="USD"), 422, "currency_mismatch"),
        (lambda: ada.post(TRANSFERS, unknown), 404, "not_found"),
    ]
    for refused, status, code in refusals:

        def act(
            refused: Callable[[], httpx.Response] = refused, status: int = status, code: str = code
        ) -> httpx.Response:
            answer = refused()
            error_of(answer, status, code)
            return answer

        assert left_by(client, ada.person, act) == (("transfer.create", None, code, "192.0.2.1"),)
    put(client.db, ada, status="frozen")
    refused = ada.pay(bob, 1)
    error_of(refused, 409, "account_frozen")
    assert traces(client, ada.person)[-1][2:] == (
        "account_frozen",
        "192.0.2.1",
        refused.headers["X-Request-Id"],
    )
    for path in (TRANSFERS, "/v1/transactions"):
        assert bob.person.get(path).json()["data"] == []
        assert len(ada.person.get(path).json()["data"]) == 1, "the deposit"
    assert (ada.balance(), bob.balance()) == (1000, 0)
