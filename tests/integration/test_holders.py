"""Account holders: who may be one, and who may change what about them."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from app.core import clock, dates
from app.core.caller import Role
from tests.bank import count, keyed, staff
from tests.client import ApiClient, Person, error_of, outcomes, together

HOLDERS, MINE = "/v1/account-holders", "/v1/account-holders/me"
PROFILE = {"full_name": "Ada King", "date_of_birth": "1990-01-02"}


def make(person: Person, **fields: Any) -> dict[str, Any]:
    made = person.post(HOLDERS, json=PROFILE | fields)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def refused_fields(error: dict[str, Any]) -> dict[str, str]:
    return {detail["field"]: detail["code"] for detail in error["details"]}


def test_a_user_becomes_a_holder_and_finds_themselves(client: ApiClient) -> None:
    ada = client.sign_up()
    error_of(ada.get(MINE), 404, "not_found")
    assert ada.get(HOLDERS).json()["data"] == []
    full = PROFILE | {"address": "1 Long Street, London", "phone": "+44 20 7946 0000"}
    made = ada.post(HOLDERS, json=full)
    assert made.status_code == 201
    holder = made.json()
    user = ada.get("/v1/auth/me").json()
    assert user["account_holder_id"] == holder["id"]
    assert holder == full | {
        "id": holder["id"],
        "user_id": user["id"],
        "created_at": holder["created_at"],
    }
    for path in (made.headers["Location"], MINE, f"{HOLDERS}/{holder['id']}"):
        assert ada.get(path).json() == holder
    assert ada.get(HOLDERS).json()["data"] == [holder]


def test_a_user_is_one_holder(client: ApiClient) -> None:
    ada = client.sign_up()
    make(ada)
    error_of(ada.post(HOLDERS, json=PROFILE | {"full_name": "Other"}), 409, "holder_exists")
    bob = client.sign_up("bob@example.com")
    answers = together(*[lambda: bob.post(HOLDERS, json=PROFILE)] * 6)
    assert outcomes(answers) == {201: 1, (409, "holder_exists"): 5}
    assert count(client.db, "account_holders") == 2


def test_a_retried_application_is_answered_again(client: ApiClient) -> None:
    ada = client.sign_up()
    first, second = (ada.post(HOLDERS, json=PROFILE, headers=keyed("k")) for _ in range(2))
    assert (first.status_code, first.content) == (201, second.content)
    assert second.headers["Location"] == first.headers["Location"]
    assert second.headers["Idempotent-Replayed"] == "true"
    other = PROFILE | {"full_name": "Other"}
    error_of(ada.post(HOLDERS, json=other, headers=keyed("k")), 422, "idempotency_key_reused")


def move_clock(monkeypatch: pytest.MonkeyPatch, day: str) -> None:
    instant = datetime.combine(dates.parse_date(day), datetime.min.time(), UTC)
    monkeypatch.setattr(clock, "now", lambda: instant)


# Somebody born on 29 February comes of age on 1 March of other years.
@pytest.mark.parametrize(
    ("today", "born", "is_adult"),
    [
        ("2026-06-15", "2008-06-15", True),
        ("2026-06-15", "2008-06-16", False),
        ("2026-02-28", "2008-02-29", False),
        ("2026-03-01", "2008-02-29", True),
        ("2028-02-28", "2010-02-28", True),
        ("2028-02-29", "2010-03-01", False),
    ],
)
def test_a_holder_is_eighteen_to_the_day(
    client: ApiClient, monkeypatch: pytest.MonkeyPatch, today: str, born: str, is_adult: bool
) -> None:
    move_clock(monkeypatch, today)
    ada = client.sign_up()
    answer = ada.post(HOLDERS, json=PROFILE | {"date_of_birth": born})
    if is_adult:
        assert (answer.status_code, answer.json().get("date_of_birth")) == (201, born)
    else:
        assert refused_fields(error_of(answer, 422, "validation_failed")) == {"date_of_birth": "not_adult"}
    assert count(client.db, "account_holders") == is_adult


def test_a_birthday_that_cannot_be_is_refused(client: ApiClient) -> None:
    ada = client.sign_up()
    today = clock.now().date()
    seventeen = date(today.year - 17, 1, 1).isoformat()
    for born in (today.isoformat(), seventeen, "1800-01-01", "9999-12-31", "0001-01-01"):
        error = error_of(ada.post(HOLDERS, json=PROFILE | {"date_of_birth": born}), 422, "validation_failed")
        assert refused_fields(error) == {"date_of_birth": "not_adult"}, born
    for born in (
        *("2001-02-29", "1990-13-01", "1990-1-2", "0000-01-01", "١٩٩٠-٠١-٠٢", " 1990-01-02", ""),
        *("1990-01-02T00:00:00Z", "19900102", "1990-W01-1", "631238400"),
    ):
        error = error_of(ada.post(HOLDERS, json=PROFILE | {"date_of_birth": born}), 422, "validation_failed")
        assert refused_fields(error) == {"date_of_birth": "invalid"}, born
    for born in (631238400, True, None, ["1990-01-02"], 1990.5):
        error = error_of(ada.post(HOLDERS, json=PROFILE | {"date_of_birth": born}), 422, "validation_failed")
        assert refused_fields(error) == {"date_of_birth": "wrong_type"}, born
    assert count(client.db, "account_holders") == 0


def test_a_name_that_is_none_is_refused(client: ApiClient) -> None:
    ada = client.sign_up()
    for name, code in (
        ("", "too_short"),
        ("   ", "blank"),
        ("\u2003\u00a0", "blank"),
        ("x" * 101, "too_long"),
        ("😀" * 101, "too_long"),
        ("Ada\nKing", "invalid_characters"),
        ("Ada\u202egniK", "invalid_characters"),
        ("Ada\x7f", "invalid_characters"),
        (7, "wrong_type"),
        (None, "wrong_type"),
    ):
        error = error_of(ada.post(HOLDERS, json=PROFILE | {"full_name": name}), 422, "validation_failed")
        assert refused_fields(error) == {"full_name": code}, name
    error_of(ada.post(HOLDERS, json=PROFILE | {"full_name": "Ada\0King"}), 400, "malformed_json")
    assert count(client.db, "account_holders") == 0
    longest = "Zoë 李小龙 " + "😀" * 92
    assert make(ada, full_name=longest)["full_name"] == longest
    assert ada.get(MINE).json()["full_name"] == longest


def test_everything_that_is_wrong_is_told_at_once(client: ApiClient) -> None:
    wrong = {"full_name": " ", "date_of_birth": "x", "phone": "call me", "address": "a\nb", "vip": True}
    error = error_of(client.sign_up().post(HOLDERS, json=wrong), 422, "validation_failed")
    assert refused_fields(error) == {
        "full_name": "blank",
        "date_of_birth": "invalid",
        "phone": "invalid",
        "address": "invalid_characters",
        "vip": "unknown_field",
    }


def test_a_customer_changes_address_and_phone_and_nothing_else(client: ApiClient) -> None:
    ada = client.sign_up()
    holder = make(ada, address="Old Road")
    changed = ada.patch(MINE, json={"address": "New Road", "phone": "+3312345"})
    assert changed.status_code == 200
    assert changed.json() == holder | {"address": "New Road", "phone": "+3312345"}
    assert ada.patch(MINE, json={"phone": None}).json() == holder | {"address": "New Road"}
    for reserved in ({"full_name": "Countess"}, {"date_of_birth": "1991-01-02"}):
        error = error_of(ada.patch(MINE, json={"address": "X"} | reserved), 422, "validation_failed")
        assert refused_fields(error) == dict.fromkeys(reserved, "not_allowed")
    assert ada.get(MINE).json() == holder | {"address": "New Road"}


def test_a_teller_changes_everything_but_takes_no_name_away(client: ApiClient) -> None:
    holder = make(client.sign_up())
    teller = staff(client)
    path = f"{HOLDERS}/{holder['id']}"
    changed = teller.patch(path, json={"full_name": "Ada Lovelace", "date_of_birth": "1991-02-03"})
    assert changed.json() == holder | {"full_name": "Ada Lovelace", "date_of_birth": "1991-02-03"}
    assert teller.patch(path, json={"full_name": None, "date_of_birth": None}).json() == changed.json()
    error_of(teller.patch(path, json={"date_of_birth": "2020-01-01"}), 422, "validation_failed")
    for role in (Role.OPERATOR, Role.AUDITOR, Role.ADMIN, Role.NETWORK):
        error_of(staff(client, role).patch(path, json={"full_name": "Eve"}), 403, "forbidden")


def test_nobody_changes_what_they_have_not_seen(client: ApiClient) -> None:
    ada = client.sign_up()
    make(ada)
    seen = ada.get(MINE).headers["ETag"]
    first = ada.patch(MINE, json={"phone": "+331111"}, headers={"If-Match": seen})
    assert first.status_code == 200
    stale = ada.patch(MINE, json={"phone": "+332222"}, headers={"If-Match": seen})
    error_of(stale, 412, "precondition_failed")
    now = ada.get(MINE)
    assert now.json()["phone"] == "+331111"
    assert now.headers["ETag"] == first.headers["ETag"] != seen
    again = ada.patch(MINE, json={"phone": "+333333"}, headers={"If-Match": now.headers["ETag"]})
    assert again.status_code == 200


def test_of_two_changes_of_one_version_one_is_made(client: ApiClient) -> None:
    ada = client.sign_up()
    make(ada)
    tag = {"If-Match": ada.get(MINE).headers["ETag"]}
    answers = together(*[lambda: ada.patch(MINE, json={"address": "X"}, headers=tag)] * 4)
    assert outcomes(answers) == {200: 1, (412, "precondition_failed"): 3}


def test_a_teller_makes_holders_for_people_without_a_login(client: ApiClient) -> None:
    teller = staff(client)
    made = [make(teller, full_name=f"Person {number}") for number in range(2)]
    assert {one["user_id"] for one in made} == {None}
    assert teller.get(HOLDERS).json()["data"] == made[::-1]
    error_of(teller.get(MINE), 404, "not_found")
    ada = client.sign_up()
    error_of(ada.get(f"{HOLDERS}/{made[0]['id']}"), 404, "not_found")
    error_of(ada.patch(f"{HOLDERS}/{made[0]['id']}", json={"phone": "+331111"}), 404, "not_found")
    for role in (Role.OPERATOR, Role.AUDITOR, Role.ADMIN, Role.NETWORK):
        error_of(staff(client, role).post(HOLDERS, json=PROFILE), 403, "forbidden")
