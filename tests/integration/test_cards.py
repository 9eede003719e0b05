"""Cards: issuing, showing, switching, ending and replacing them."""

from typing import Any

import pytest

from app.core import luhn, pan
from app.core.caller import Role
from app.core.config import Settings
from tests.bank import Customer, count, customer, keyed, put, rows, staff, walk_in, with_account
from tests.cards import CARDS, act, issue, seen, shown
from tests.client import ApiClient, error_of, running

GONE = (404, "not_found")
STATE = (409, "card_state")
ACTIONS = ("activate", "freeze", "unfreeze", "cancel", "replace")


@pytest.fixture
def ada(client: ApiClient) -> Customer:
    return customer(client)


def test_a_card_is_refused_for_an_account_that_is_not_there_or_not_ones_own(
    client: ApiClient, ada: Customer
) -> None:
    bob = customer(client, "bob")
    for account in (bob.id, "acc_x", ada.id.upper(), ada.account["account_holder_id"], ""):
        error = error_of(ada.post(CARDS, {"account_id": account, "type": "virtual"}), *GONE)
        assert [detail["field"] for detail in error["details"]] == ["account_id"]
    assert count(client.db, "cards") == 0


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("number", "4111111111111111", "unknown_field"),
        ("last4", "1111", "unknown_field"),
        ("expiry_month", 12, "unknown_field"),
        ("expiry_year", 2099, "unknown_field"),
        ("cvv", "737", "unknown_field"),
        ("pin", "1234", "unknown_field"),
        ("type", "gold", "not_allowed"),
        ("type", None, "not_allowed"),
    ],
)
def test_a_client_chooses_neither_number_nor_expiry(
    client: ApiClient, ada: Customer, field: str, value: Any, code: str
) -> None:
    wanted = {"account_id": ada.id, "type": "virtual"} | {field: value}
    error = error_of(ada.post(CARDS, wanted), 422, "validation_failed")
    assert [(detail["field"], detail["code"]) for detail in error["details"]] == [(field, code)]
    assert str(value) not in str(error["details"]) or value is None
    assert count(client.db, "cards") == 0


def test_a_frozen_or_closed_account_gets_no_card(client: ApiClient, ada: Customer) -> None:
    wanted = {"account_id": ada.id, "type": "virtual"}
    put(client.db, ada, status="frozen")
    error_of(ada.post(CARDS, wanted), 409, "account_frozen")
    put(client.db, ada, status="closed")
    error_of(ada.post(CARDS, wanted), 409, "account_closed")
    assert count(client.db, "cards") == 0


def test_a_card_shows_its_number_once(client: ApiClient, ada: Customer) -> None:
    made = ada.post(CARDS, {"account_id": ada.id, "type": "virtual"})
    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "no-store"
    card = made.json()
    number = card["number"]
    assert card == {
        "id": card["id"],
        "account_id": ada.id,
        "type": "virtual",
        "status": "active",
        "cancel_reason": None,
        "brand": "private",
        "number": number,
        "last4": number[-4:],
        "expiry_month": card["expiry_month"],
        "expiry_year": card["expiry_year"],
        "limits": {"per_payment": None, "per_day": None, "per_month": None},
        "online": True,
        "blocked_mccs": [],
        "blocked_countries": [],
        "replaces_id": None,
        "replaced_by_id": None,
        "created_at": card["created_at"],
    }
    assert card["id"].startswith("crd_")
    assert (len(number), number[:6]) == (16, "999999")
    assert luhn.is_valid(number)
    year, month = (int(part) for part in card["created_at"].split("-")[:2])
    assert (card["expiry_year"], card["expiry_month"]) == (year + 4, month)
    assert made.headers["Location"] == f"{CARDS}/{card['id']}"
    assert ada.person.get(made.headers["Location"]).headers["ETag"] == made.headers["ETag"]
    assert seen(ada, card) == shown(card)
    assert ada.person.get(CARDS).json()["data"] == [shown(card)]


def test_a_retried_issue_makes_no_second_card_and_tells_no_number(client: ApiClient, ada: Customer) -> None:
    wanted = {"account_id": ada.id, "type": "physical"}
    first, second = (ada.post(CARDS, wanted, "k") for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.headers["Location"] == first.headers["Location"]
    assert first.json()["number"] is not None
    assert second.json() == first.json() | {"number": None}
    error_of(ada.post(CARDS, wanted | {"type": "virtual"}, "k"), 422, "idempotency_key_reused")
    assert count(client.db, "cards") == 1


def test_of_a_number_only_a_keyed_fingerprint_and_the_last_four_are_kept(
    client: ApiClient, ada: Customer
) -> None:
    number = issue(ada)["number"]
    kept = rows(client.db, "SELECT * FROM cards")[0]
    assert number not in str(kept)
    names = {name for (name,) in rows(client.db, _COLUMNS[client.db.engines.writer.dialect.name])}
    assert not [name for name in names if name in ("number", "pan", "cvv", "cvc", "pin", "track")]
    [(last4, fingerprint)] = rows(client.db, "SELECT last4, fingerprint FROM cards")
    assert last4 == number[-4:]
    assert bytes(fingerprint) == pan.fingerprint(number, client.app.state.bank.card_key)


_COLUMNS = {
    "sqlite": "SELECT name FROM pragma_table_info('cards')",
    "postgresql": "SELECT column_name FROM information_schema.columns WHERE table_name = 'cards'",
}


def test_a_number_that_is_taken_is_drawn_again(
    client: ApiClient, ada: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = issue(ada)["number"]
    free = "9999990000000007"
    draws = iter([taken, taken, free])
    monkeypatch.setattr(pan, "new_number", lambda iin: next(draws))
    assert issue(ada)["number"] == free
    assert count(client.db, "cards") == 2


def test_numbers_stay_different_where_chance_repeats_itself(
    client: ApiClient, ada: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pan.secrets, "randbelow", lambda limit, draw=pan.secrets.randbelow: draw(30))
    numbers = [issue(ada)["number"] for _ in range(15)]
    assert len(set(numbers)) == 15


def test_an_issuer_has_numbers_of_its_own_and_so_many_cards_an_account(settings: Settings) -> None:
    own = settings.model_copy(update={"card_iin": "40000000", "cards_per_account": 2})
    with running(own) as client:
        ada = customer(client)
        cards = [issue(ada), issue(ada, "physical")]
        assert all(card["number"].startswith("40000000") for card in cards)
        assert {card["brand"] for card in cards} == {"visa"}
        error_of(ada.post(CARDS, {"account_id": ada.id, "type": "virtual"}), 409, "limit_exceeded")
        # The replacement takes the place of the old one, and a cancelled card has none.
        assert act(ada, cards[0], "replace").status_code == 201
        error_of(ada.post(CARDS, {"account_id": ada.id, "type": "virtual"}), 409, "limit_exceeded")
        assert act(ada, cards[1], "cancel").status_code == 200
        issue(ada)
        issue(with_account(ada.person))


def test_a_physical_card_waits_to_be_activated(ada: Customer) -> None:
    card = issue(ada, "physical")
    assert card["status"] == "inactive"
    for action in ("freeze", "unfreeze"):
        error_of(act(ada, card, action), *STATE)
    assert act(ada, card, "activate").json() == shown(card) | {"status": "active"}


def test_a_card_is_frozen_and_unfrozen_and_the_same_again_changes_nothing(
    client: ApiClient, ada: Customer
) -> None:
    card = issue(ada)
    for action, status in (("activate", "active"), ("unfreeze", "active"), ("freeze", "frozen")):
        answer = act(ada, card, action)
        assert (answer.status_code, answer.json()["status"]) == (200, status)
    error_of(act(ada, card, "activate"), *STATE)
    again = act(ada, card, "freeze")
    assert (again.status_code, again.json()) == (200, shown(card) | {"status": "frozen"})
    assert act(ada, card, "unfreeze").json() == shown(card)
    audited = rows(client.db, "SELECT action FROM audit_log WHERE object_id = :id ORDER BY id", id=card["id"])
    assert audited == [("card.issue",), ("card.freeze",), ("card.unfreeze",)]


def test_a_cancelled_card_stays_cancelled(client: ApiClient, ada: Customer) -> None:
    card = issue(ada)
    for action in ("cancel", "replace"):
        error = error_of(act(ada, card, action, reason="bored"), 422, "validation_failed")
        assert [detail["field"] for detail in error["details"]] == ["reason"]
    lost = act(ada, card, "cancel", reason="lost")
    assert lost.json() == shown(card) | {"status": "cancelled", "cancel_reason": "lost"}
    for action in ("activate", "freeze", "unfreeze", "replace"):
        error_of(act(ada, card, action), *STATE)
    error_of(ada.person.patch(f"{CARDS}/{card['id']}/limits", json={"online": False}), *STATE)
    # Its first reason stays, and so does the row.
    again = act(ada, card, "cancel", reason="stolen")
    assert (again.status_code, again.json()) == (200, lost.json())
    assert seen(ada, card) == lost.json()
    assert count(client.db, "cards") == 1


@pytest.mark.parametrize("body", [None, {}, {"reason": "requested"}])
def test_a_card_is_cancelled_without_saying_why(ada: Customer, body: dict[str, str] | None) -> None:
    card = issue(ada)
    ended = ada.person.post(f"{CARDS}/{card['id']}/cancel", **({} if body is None else {"json": body}))
    assert (ended.status_code, ended.json()["cancel_reason"]) == (200, "requested")


def test_a_replacement_has_another_number_and_the_same_settings(client: ApiClient, ada: Customer) -> None:
    card = issue(ada, "physical")
    settings = {
        "limits": {"per_payment": 100, "per_day": 200, "per_month": 300},
        "online": False,
        "blocked_mccs": ["7995"],
        "blocked_countries": ["AQ"],
    }
    assert ada.person.patch(f"{CARDS}/{card['id']}/limits", json=settings).status_code == 200
    answer = act(ada, card, "replace", reason="stolen")
    assert answer.status_code == 201
    new = answer.json()
    assert answer.headers["Location"] == f"{CARDS}/{new['id']}"
    assert new == card | settings | {
        "id": new["id"],
        "number": new["number"],
        "last4": new["number"][-4:],
        "replaces_id": card["id"],
        "created_at": new["created_at"],
    }
    assert new["number"] != card["number"]
    old = seen(ada, card)
    assert (old["status"], old["cancel_reason"], old["replaced_by_id"]) == ("cancelled", "stolen", new["id"])
    assert seen(ada, new) == shown(new)
    error_of(act(ada, card, "replace"), *STATE)
    audited = rows(
        client.db, "SELECT action, object_id FROM audit_log WHERE action LIKE 'card.%' ORDER BY id"
    )
    assert audited[-2:] == [("card.cancel", card["id"]), ("card.replace", new["id"])]


def test_a_retried_replacement_replaces_once(client: ApiClient, ada: Customer) -> None:
    card = issue(ada)
    first, second = (ada.post(f"{CARDS}/{card['id']}/replace", key="k") for _ in range(2))
    assert second.json() == first.json() | {"number": None}
    assert second.headers["Idempotent-Replayed"] == "true"
    assert count(client.db, "cards") == 2


def test_a_card_of_a_frozen_account_can_be_ended_and_not_replaced(client: ApiClient, ada: Customer) -> None:
    card = issue(ada)
    put(client.db, ada, status="frozen")
    error_of(act(ada, card, "replace"), 409, "account_frozen")
    assert seen(ada, card) == shown(card)
    for action in ("freeze", "unfreeze", "cancel"):
        assert act(ada, card, action).status_code == 200


def test_nobody_overwrites_a_card_that_they_have_not_seen(ada: Customer) -> None:
    card = issue(ada)
    path = f"{CARDS}/{card['id']}"
    old = {"If-Match": ada.person.get(path).headers["ETag"]}
    changed = ada.person.patch(f"{path}/limits", json={"online": False}, headers=old)
    assert changed.status_code == 200
    for action in ACTIONS:
        error_of(ada.person.post(f"{path}/{action}", headers=old), 412, "precondition_failed")
    error_of(ada.person.patch(f"{path}/limits", json={}, headers=old), 412, "precondition_failed")
    fresh = {"If-Match": changed.headers["ETag"]}
    frozen = ada.person.post(f"{path}/freeze", headers=fresh)
    assert frozen.json() == shown(card) | {"online": False, "status": "frozen"}
    assert ada.person.get(path).headers["ETag"] == frozen.headers["ETag"] != changed.headers["ETag"]


def test_a_card_of_somebody_else_is_not_there(client: ApiClient, ada: Customer) -> None:
    bob, card = customer(client, "bob"), issue(ada)
    own = issue(bob)
    for wrong in (card["id"], own["id"][:-3] + "000", card["id"].upper(), ada.id, "crd_x"):
        path, told = f"{CARDS}/{wrong}", set()
        answers = [bob.person.get(path), bob.person.patch(f"{path}/limits", json={"online": False})]
        answers += [bob.person.post(f"{path}/{action}", headers=keyed()) for action in ACTIONS]
        for answer in answers:
            error = error_of(answer, *GONE)
            told.add(str({name: part for name, part in error.items() if name != "request_id"}))
        assert len(told) == 1
    assert bob.person.get(CARDS).json()["data"] == [shown(own)]
    assert seen(ada, card) == shown(card)


def test_tellers_look_after_everybodys_cards_and_other_staff_only_read(
    client: ApiClient, ada: Customer
) -> None:
    teller = staff(client)
    card = teller.post(CARDS, json={"account_id": ada.id, "type": "physical"}).json()
    assert act(teller, card, "activate").status_code == 200
    assert act(ada, card, "freeze").json() == seen(teller, card)
    guest = walk_in(teller)
    assert issue(guest)["account_id"] == guest.id
    assert len(teller.get(CARDS).json()["data"]) == 2
    assert len(teller.get(CARDS, params={"account_id": ada.id}).json()["data"]) == 1
    for role in (Role.OPERATOR, Role.AUDITOR, Role.ADMIN):
        other = staff(client, role)
        assert seen(other, card)["status"] == "frozen"
        error_of(act(other, card, "unfreeze"), 403, "forbidden")
        error_of(other.post(CARDS, json={"account_id": ada.id, "type": "virtual"}), 403, "forbidden")
    error_of(staff(client, Role.NETWORK).get(f"{CARDS}/{card['id']}"), *GONE)


def test_cards_are_listed_by_account_and_status(client: ApiClient, ada: Customer) -> None:
    savings = with_account(ada.person)
    one, two, three = issue(ada), issue(ada, "physical"), issue(savings)
    assert act(ada, one, "cancel").status_code == 200

    def listed(**query: str) -> list[str]:
        return [card["id"] for card in ada.person.get(CARDS, params=query).json()["data"]]

    assert listed() == [three["id"], two["id"], one["id"]]
    assert listed(account_id=ada.id) == [two["id"], one["id"]]
    assert listed(status="active") == [three["id"]]
    assert listed(status="inactive") == [two["id"]]
    assert listed(status="cancelled", account_id=ada.id) == [one["id"]]
    assert listed(status="expired") == listed(status="frozen") == []
    assert listed(**{"created_at.gte": two["created_at"]}) == [three["id"], two["id"]]
    assert listed(**{"created_at.lt": two["created_at"]}) == [one["id"]]
    error_of(ada.person.get(CARDS, params={"status": "gone"}), 422, "validation_failed")
    first = ada.person.get(CARDS, params={"limit": "2"}).json()
    assert first["has_more"]
    rest = ada.person.get(CARDS, params={"limit": "2", "cursor": first["next_cursor"]}).json()
    assert [card["id"] for card in first["data"] + rest["data"]] == listed()


def test_an_account_with_a_live_card_is_not_closed(client: ApiClient, ada: Customer) -> None:
    card = issue(ada, "physical")
    error_of(ada.close(), 409, "account_in_use")
    assert act(ada, card, "activate").status_code == 200
    assert act(ada, card, "freeze").status_code == 200
    error_of(ada.close(), 409, "account_in_use")
    new = act(ada, card, "replace").json()
    error_of(ada.close(), 409, "account_in_use")
    assert act(ada, new, "cancel").status_code == 200
    assert ada.close().status_code == 200
    assert seen(ada, new)["status"] == "cancelled"
