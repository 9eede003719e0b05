"""Pending transfers over HTTP: reserved, captured, raised, let go, expired, and listed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.core import clock
from app.core.caller import Role
from tests.bank import Customer, assert_right, count, customer, put, staff, with_account
from tests.client import ApiClient, Person, error_of


@pytest.fixture
def ada(client: ApiClient) -> Customer:
    return customer(client, money=1000)


@pytest.fixture
def bob(client: ApiClient) -> Customer:
    return customer(client, "bob")


def reserve(ada: Customer, bob: Customer, amount: int = 600, **fields: Any) -> dict[str, Any]:
    made = ada.pay(bob, amount, pending=True, **fields)
    assert made.status_code == 201, made.text
    return dict(made.json())


def act(
    who: Customer | Person, held: dict[str, Any], verb: str, key: str | None = None, **body: Any
) -> httpx.Response:
    path = f"/v1/transfers/{held['id']}/{verb}"
    if isinstance(who, Customer):
        return who.post(path, body, key)
    return who.post(path, json=body, headers={"Idempotency-Key": key or f"{verb}-{held['id']}-{body}"})


def money(of: Customer) -> tuple[int, int, int]:
    told = of.person.get(f"/v1/accounts/{of.id}/balance").json()
    return told["balance"], told["held"], told["available"]


def parts(told: dict[str, Any]) -> tuple[Any, ...]:
    return told["status"], told["amount"], told["captured_amount"], told["remaining_amount"]


def test_a_pending_transfer_is_told_with_what_it_reserves(ada: Customer, bob: Customer) -> None:
    answer = ada.pay(bob, 600, pending=True, description="table", external_id="t-1", metadata={"a": "b"})
    held = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/v1/transfers/{held['id']}"
    assert held == {
        "id": held["id"],
        "status": "pending",
        "kind": "transfer",
        "source_account_id": ada.id,
        "destination_account_id": bob.id,
        "amount": 600,
        "currency": "EUR",
        "description": "table",
        "external_id": "t-1",
        "metadata": {"a": "b"},
        "created_at": held["created_at"],
        "booked_at": None,
        "expires_at": held["expires_at"],
        "captured_amount": 0,
        "remaining_amount": 600,
        "pending_id": None,
        "reverses_id": None,
        "reversed_by_id": None,
        "source_balances": {"balance": 1000, "held": 600, "available": 400},
    }
    life = datetime.fromisoformat(held["expires_at"]) - datetime.fromisoformat(held["created_at"])
    assert life == timedelta(days=7)
    assert money(ada) == (1000, 600, 400)
    path = f"/v1/transfers/{held['id']}"
    assert ada.person.get(path).json() == held
    hidden = dict.fromkeys(("source_account_id", "external_id", "metadata", "source_balances"))
    assert bob.person.get(path).json() == held | hidden


def test_a_hold_is_captured_raised_and_let_go(ada: Customer, bob: Customer) -> None:
    held = reserve(ada, bob)
    answer = act(ada, held, "capture", amount=200)
    assert (answer.status_code, parts(answer.json())) == (200, ("pending", 600, 200, 400))
    assert "Location" not in answer.headers
    raised = act(ada, held, "increment", amount=100)
    assert (raised.status_code, parts(raised.json())) == (200, ("pending", 700, 200, 500))
    assert raised.json()["source_balances"] == {"balance": 800, "held": 500, "available": 300}
    gone = act(ada, held, "void")
    assert (gone.status_code, parts(gone.json())) == (200, ("voided", 700, 200, 0))
    for verb, body in (("capture", {}), ("increment", {"amount": 1}), ("void", {})):
        error_of(act(ada, held, verb, **body), 409, "hold_not_active")
    assert (money(ada), money(bob)) == ((800, 0, 800), (200, 0, 200))
    assert_right(ada.person.client.db)


@pytest.mark.parametrize("body", [None, {}, {"amount": None}, {"amount": 600}])
def test_everything_is_captured_when_no_amount_is_given(
    ada: Customer, bob: Customer, body: dict[str, Any] | None
) -> None:
    held = reserve(ada, bob)
    answer = ada.post(f"/v1/transfers/{held['id']}/capture", body)
    assert (answer.status_code, parts(answer.json())) == (200, ("posted", 600, 600, 0))
    assert answer.json()["booked_at"] is not None
    newest = ada.person.get("/v1/transfers").json()["data"][0]
    assert (newest["pending_id"], newest["status"], newest["amount"]) == (held["id"], "posted", 600)
    entry = ada.person.get("/v1/transactions").json()["data"][0]
    assert (entry["transfer_id"], entry["amount"]) == (newest["id"], -600)


def test_a_final_capture_lets_go_of_the_rest(ada: Customer, bob: Customer) -> None:
    held = reserve(ada, bob)
    assert parts(act(ada, held, "capture", amount=1, final=True).json()) == ("posted", 600, 1, 0)
    assert money(ada) == (999, 0, 999)


def test_more_than_is_left_is_not_captured(ada: Customer, bob: Customer) -> None:
    held = reserve(ada, bob)
    assert act(ada, held, "capture", amount=200).status_code == 200
    error = error_of(act(ada, held, "capture", amount=401), 422, "validation_failed")
    assert error["details"][0]["field"] == "amount"
    assert act(ada, held, "capture", amount=400).status_code == 200
    error_of(act(ada, held, "capture", amount=1), 409, "hold_not_active")
    assert money(bob) == (600, 0, 600)


@pytest.mark.parametrize("verb", ["capture", "increment"])
@pytest.mark.parametrize("amount", [0, -1, 0.0, -0.0, "1", True, 2**53, 1e400])
def test_what_is_no_amount_ends_no_hold(ada: Customer, bob: Customer, verb: str, amount: Any) -> None:
    held = reserve(ada, bob)
    if amount == 1e400:
        answer = ada.person.post(
            f"/v1/transfers/{held['id']}/{verb}",
            content='{"amount": 1e400}',
            headers={"Idempotency-Key": "k", "Content-Type": "application/json"},
        )
        assert answer.status_code in (400, 422)
    else:
        error = error_of(act(ada, held, verb, amount=amount), 422, "validation_failed")
        assert error["details"][0]["field"] == "amount"
    assert money(ada) == (1000, 600, 400)


def test_a_body_of_null_is_no_request_for_everything(ada: Customer, bob: Customer) -> None:
    held = reserve(ada, bob)
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    path = f"/v1/transfers/{held['id']}/capture"
    error_of(ada.person.post(path, content="null", headers=headers), 422, "validation_failed")
    assert money(ada) == (1000, 600, 400)


def test_fields_that_do_not_belong_are_refused(ada: Customer, bob: Customer) -> None:
    held = reserve(ada, bob)
    for verb, body, field in (
        ("capture", {"currency": "JPY"}, "currency"),
        ("capture", {"final": "yes"}, "final"),
        ("increment", {}, "amount"),
        ("void", {"amount": 1}, "body"),
    ):
        error = error_of(act(ada, held, verb, **body), 422, "validation_failed")
        assert [one["field"] for one in error["details"]] == [field]
    now = clock.rfc3339(clock.now() + timedelta(hours=1))
    for fields in ({"pending": 1}, {"expires_at": now}, {"pending": False, "expires_at": now}):
        error_of(ada.pay(bob, 1, **fields), 422, "validation_failed")
    bulk = {"transfers": [ada.payment(bob, 1) | {"pending": True}]}
    error_of(ada.post("/v1/transfers/bulk", bulk), 422, "validation_failed")
    assert money(ada) == (1000, 600, 400)


@pytest.mark.parametrize(
    "expires_at",
    [
        "2020-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2026-01-01T00:00:00",
        "2026-01-01",
        "tomorrow",
        1900000000,
        True,
    ],
)
def test_an_end_is_an_instant_of_the_next_thirty_days(ada: Customer, bob: Customer, expires_at: Any) -> None:
    error = error_of(ada.pay(bob, 1, pending=True, expires_at=expires_at), 422, "validation_failed")
    assert [one["field"] for one in error["details"]] == ["expires_at"]
    assert money(ada) == (1000, 0, 1000)


def test_an_end_of_ones_own_is_kept_to_the_microsecond(ada: Customer, bob: Customer) -> None:
    end = (clock.now() + timedelta(days=29)).replace(microsecond=123456)
    held = reserve(ada, bob, expires_at=end.isoformat())
    assert held["expires_at"] == clock.rfc3339(end)


def test_each_act_is_told_again(ada: Customer, bob: Customer) -> None:
    made = [ada.pay(bob, 600, "made", pending=True)]
    held = made[0].json()
    acts: list[tuple[str, dict[str, Any]]] = [
        ("capture", {"amount": 100}),
        ("increment", {"amount": 50}),
        ("void", {}),
    ]
    made += [act(ada, held, verb, verb, **body) for verb, body in acts]
    again = [ada.pay(bob, 600, "made", pending=True)]
    again += [act(ada, held, verb, verb, **body) for verb, body in acts]
    for first, second in zip(made, again, strict=True):
        assert (second.status_code, second.json()) == (first.status_code, first.json())
        assert (second.headers["Idempotent-Replayed"], "Idempotent-Replayed" in first.headers) == (
            "true",
            False,
        )
    for verb, body in (("capture", {"amount": 101}), ("void", {}), ("increment", {"amount": 1})):
        error_of(act(ada, held, verb, "made", **body), 422, "idempotency_key_reused")
    error_of(ada.person.post(f"/v1/transfers/{held['id']}/void"), 400, "idempotency_key_required")
    assert money(bob) == (100, 0, 100)


def test_neither_the_recipient_nor_a_stranger_acts_on_a_hold(
    client: ApiClient, ada: Customer, bob: Customer
) -> None:
    held, eve = reserve(ada, bob), customer(client, "eve")
    for verb, body in (("capture", {}), ("increment", {"amount": 1}), ("void", {})):
        error_of(act(bob, held, verb, **body), 403, "forbidden")
        error = error_of(act(eve, held, verb, **body), 404, "not_found")
        assert error["details"][0]["field"] == "transfer_id"
        error_of(act(ada, {"id": "trf_no"}, verb, **body), 404, "not_found")
    assert money(ada) == (1000, 600, 400)
    for role in (Role.TELLER, Role.OPERATOR):
        assert act(staff(client, role), held, "capture", amount=1).status_code == 200


def test_a_hold_is_not_reversed_and_its_capture_is(client: ApiClient, ada: Customer, bob: Customer) -> None:
    held, teller = reserve(ada, bob), staff(client)
    error_of(act(teller, held, "reverse", "r1"), 409, "not_reversible")
    act(ada, held, "capture")
    error_of(act(teller, held, "reverse", "r2"), 409, "not_reversible")
    made = ada.person.get("/v1/transfers").json()["data"][0]
    assert act(teller, made, "reverse", "r3").status_code == 201
    assert money(ada) == (1000, 0, 1000)


def open_holds(of: Customer, **query: Any) -> list[dict[str, Any]]:
    answer = of.person.get(f"/v1/accounts/{of.id}/holds", params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"])


def test_the_holds_of_an_account_are_listed_newest_first(ada: Customer, bob: Customer) -> None:
    first, second = reserve(ada, bob, 100, description="table"), reserve(ada, bob, 200)
    act(ada, first, "capture", amount=30)
    listed = open_holds(ada)
    assert [one["id"] for one in listed] == [second["id"], first["id"]]
    assert listed[1] == {
        "id": first["id"],
        "type": "transfer",
        "status": "pending",
        "amount": 100,
        "captured_amount": 30,
        "remaining_amount": 70,
        "currency": "EUR",
        "description": "table",
        "counterparty": {"name": "B. E.", "account_number": f"****{bob.number[-4:]}"},
        "merchant": None,
        "created_at": first["created_at"],
        "expires_at": first["expires_at"],
    }
    assert open_holds(bob) == []
    act(ada, first, "void")
    act(ada, second, "capture")
    assert open_holds(ada) == []
    assert [one["id"] for one in open_holds(ada, status="voided")] == [first["id"]]
    assert [one["id"] for one in open_holds(ada, status="posted")] == [second["id"]]
    assert open_holds(ada, status="expired") == []
    error_of(ada.person.get(f"/v1/accounts/{ada.id}/holds", params={"status": "x"}), 422, "validation_failed")


def test_the_list_of_holds_has_pages(ada: Customer, bob: Customer) -> None:
    made = [reserve(ada, bob, 1)["id"] for _ in range(5)]
    path, found, cursor = f"/v1/accounts/{ada.id}/holds", list[str](), None
    for _ in range(3):
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = ada.person.get(path, params=query).json()
        found += [one["id"] for one in page["data"]]
        cursor = page["next_cursor"]
    assert (found, cursor) == (made[::-1], None)


def test_somebody_elses_holds_are_not_there(client: ApiClient, ada: Customer, bob: Customer) -> None:
    reserve(ada, bob)
    error_of(bob.person.get(f"/v1/accounts/{ada.id}/holds"), 404, "not_found")
    assert len(staff(client).get(f"/v1/accounts/{ada.id}/holds").json()["data"]) == 1
    assert count(client.db, "audit_log", "action = 'hold.list'") == 1


def later(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """The clock stands at this time from now on."""
    then = datetime.now(UTC) + by
    monkeypatch.setattr(clock, "now", lambda: then)


def test_a_hold_whose_time_is_over_counts_nowhere(
    ada: Customer, bob: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = reserve(ada, bob, expires_at=clock.rfc3339(clock.now() + timedelta(minutes=5)))
    act(ada, held, "capture", amount=100)
    later(monkeypatch, timedelta(minutes=10))
    assert count(ada.person.client.db, "transfers", "status = 'pending'") == 1, "nothing has ended it yet"
    assert money(ada) == (900, 0, 900)
    account = ada.person.get(f"/v1/accounts/{ada.id}").json()
    assert (account["held"], account["available"]) == (0, 900)
    assert ada.person.get("/v1/accounts").json()["data"][0] == account
    renamed = ada.person.patch(f"/v1/accounts/{ada.id}", json={"nickname": "x"}).json()
    assert (renamed["held"], renamed["available"]) == (0, 900)
    assert parts(ada.person.get(f"/v1/transfers/{held['id']}").json()) == ("expired", 600, 100, 0)
    for status, found in (("pending", []), ("expired", [held["id"]])):
        listed = ada.person.get("/v1/transfers", params={"status": status}).json()["data"]
        assert [one["id"] for one in listed] == found
        assert [one["id"] for one in open_holds(ada, status=status)] == found
    error_of(act(ada, held, "capture", amount=1), 409, "hold_not_active")
    assert count(ada.person.client.db, "transfers", "status = 'pending'") == 0
    assert ada.pay(bob, 900).status_code == 201
    assert_right(ada.person.client.db)


def test_an_account_with_open_holds_is_not_closed(
    ada: Customer, bob: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = with_account(ada.person, money=600)
    held = reserve(mine, bob, expires_at=clock.rfc3339(clock.now() + timedelta(minutes=5)))
    error_of(mine.close(), 409, "account_in_use")
    act(mine, held, "capture", amount=600)
    other = with_account(ada.person, money=10)
    reserve(other, bob, 10, expires_at=clock.rfc3339(clock.now() + timedelta(minutes=5)))
    assert mine.close().status_code == 200
    later(monkeypatch, timedelta(minutes=10))
    error_of(other.close(), 409, "balance_not_zero")
    assert other.pay(bob, 10).status_code == 201
    assert other.close().json()["status"] == "closed"
    assert_right(ada.person.client.db)


def test_an_empty_account_is_closed_when_its_last_hold_has_expired(
    ada: Customer, bob: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = with_account(ada.person)
    database = ada.person.client.db
    put(database, empty, overdraft_limit=50)
    reserve(empty, bob, 50, expires_at=clock.rfc3339(clock.now() + timedelta(minutes=5)))
    error_of(empty.close(), 409, "account_in_use")
    later(monkeypatch, timedelta(minutes=10))
    closed = empty.close()
    assert (closed.status_code, closed.json()["status"], closed.json()["held"]) == (200, "closed", 0)
    assert_right(database)


def test_a_transfer_that_is_not_pending_is_the_same_with_null(ada: Customer, bob: Customer) -> None:
    first = ada.pay(bob, 1, "k")
    again = ada.pay(bob, 1, "k", pending=None, expires_at=None)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"
