"""The balance of an account, now and at an instant in the past."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from app.core import clock
from app.core.config import Settings
from tests.bank import Customer, customer, put
from tests.client import ApiClient, error_of, running


def at(account: Customer, instant: str) -> int:
    path = f"/v1/accounts/{account.id}/balance"
    answer = account.person.get(path, params={"at": instant})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["account_id"] == account.id
    assert (found["currency"], found["held"], found["available"]) == ("EUR", None, None)
    return int(found["balance"])


def test_the_balance_now_says_what_can_go_out(client: ApiClient) -> None:
    ada = customer(client, money=100)
    put(client.db, ada, held=30, overdraft_limit=50)
    before = clock.rfc3339(clock.now())
    found = ada.person.get(f"/v1/accounts/{ada.id}/balance").json()
    assert before <= found.pop("at") <= clock.rfc3339(clock.now())
    assert found == {
        "account_id": ada.id,
        "currency": "EUR",
        "balance": 100,
        "held": 30,
        "available": 120,
    }
    assert ada.fund("withdrawal", 120).status_code == 201
    error_of(ada.fund("withdrawal", 1), 409, "insufficient_funds")


def test_a_balance_at_an_instant_counts_what_was_booked_by_then(client: ApiClient) -> None:
    ada = customer(client)
    amounts = [5, 7, -3, 11]
    booked = []
    for amount in amounts:
        type_ = "deposit" if amount > 0 else "withdrawal"
        booked.append(ada.fund(type_, abs(amount)).json()["booked_at"])
    assert all(earlier < later for earlier, later in pairwise(booked))
    for number, instant in enumerate(booked):
        micros = clock.to_micros(datetime.fromisoformat(instant))
        just_before = clock.rfc3339(clock.from_micros(micros - 1))
        assert at(ada, just_before) == sum(amounts[:number])
        assert at(ada, instant) == sum(amounts[: number + 1]), "the instant itself is in"
        elsewhere = datetime.fromisoformat(instant).astimezone(ZoneInfo("Asia/Kathmandu")).isoformat()
        assert at(ada, elsewhere) == sum(amounts[: number + 1])
    assert at(ada, ada.account["created_at"]) == 0
    assert at(ada, "1970-01-01T00:00:00Z") == 0
    assert at(ada, "0001-01-01") == 0
    assert at(ada, clock.now().date().isoformat()) == sum(amounts) == ada.balance()


def test_what_is_yet_to_come_has_no_balance(client: ApiClient) -> None:
    ada = customer(client)
    soon = clock.rfc3339(clock.now() + timedelta(seconds=30))
    tomorrow = (clock.now() + timedelta(days=1)).date().isoformat()
    for instant in (soon, tomorrow, "9999-12-31", "9999-12-31T23:59:59.999999-23:59"):
        answer = ada.person.get(f"/v1/accounts/{ada.id}/balance", params={"at": instant})
        error_of(answer, 422, "validation_failed")


def test_an_instant_that_is_none_is_refused(client: ApiClient) -> None:
    ada = customer(client)
    for instant in (
        *("", "now", "1730000000", "2025-02-29", "2025-02-30", "2025-13-01", "0000-01-01", "2025-1-1"),
        *("2025-10-31T24:00:00Z", "2025-10-31T23:59:60Z", "2025-10-31T23:59:59", "2025-10-31 10:00:00Z"),
        *("2025-10-31T10:00Z", "2025-10-31T10:00:00.1234567Z", "٢٠٢٥-٠١-٠١", "2025-10-31T10:00:00+25:00"),
    ):
        answer = ada.person.get(f"/v1/accounts/{ada.id}/balance", params={"at": instant})
        error = error_of(answer, 422, "validation_failed")
        assert [detail["field"] for detail in error["details"]] == ["at"], instant


@pytest.fixture
def auckland(settings: Settings) -> Iterator[ApiClient]:
    zone = {"bank_timezone": ZoneInfo("Pacific/Auckland")}
    with running(settings.model_copy(update=zone)) as client:
        yield client


def test_a_day_is_the_banks(auckland: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    # A day of Auckland begins at noon of the day before, in UTC.
    def move(hour: int, minute: int) -> None:
        instant = datetime(2027, 6, 30, hour, minute, tzinfo=UTC)
        monkeypatch.setattr(clock, "now", lambda: instant)

    move(11, 55)
    ada = customer(auckland)
    assert ada.deposit(1).json()["value_date"] == "2027-06-30"
    move(12, 0)
    midnight = ada.deposit(10).json()
    assert (midnight["booked_at"], midnight["value_date"]) == ("2027-06-30T12:00:00.000000Z", "2027-07-01")
    move(12, 5)
    assert at(ada, "2027-06-29") == 0
    assert at(ada, "2027-07-01") == 11, "so far"
    assert at(ada, "2027-06-30") == 1, "its last instant is before midnight"
