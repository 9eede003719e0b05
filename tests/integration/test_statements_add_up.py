"""Two years of random accounts, month by month: everything adds up, and every format says the same."""

import itertools
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.core import dates
from app.core.config import Settings
from app.core.money import CURRENCIES
from tests.bank import assert_right
from tests.books import Acct
from tests.client import ApiClient, Person, running
from tests.past import Past
from tests.readers import READERS

MONTHS = [f"{year}-{month:02}" for year in (2024, 2025) for month in range(1, 13)]
# Clocks change at different hours, or at midnight, or by half an hour, or not at all.
WORLDS = [
    ("EUR", "Europe/Berlin"),
    ("JPY", "Asia/Tokyo"),
    ("KWD", "Australia/Lord_Howe"),
    ("CLF", "America/Santiago"),
]
TEXTS = [None, "rent", "Łódź, 5 %", "=1+1", "<b>&", "شكرا", "x" * 140]


@pytest.fixture(params=WORLDS, ids=lambda world: "-".join(world).replace("/", "-"))
def world(request: pytest.FixtureRequest, settings: Settings) -> Iterator[tuple[ApiClient, str, str]]:
    currency, zone = request.param
    with running(settings.model_copy(update={"bank_timezone": ZoneInfo(zone)})) as client:
        yield client, currency, zone


def instants(chance: random.Random, zone: ZoneInfo) -> list[datetime]:
    """Instants of two years and a little more, in order; many of them at the edges of months and days."""
    edges = [dates.start_of_day(dates.parse_month(month), zone) for month in MONTHS]
    edges += [datetime(2024, 2, 29, 12, tzinfo=UTC), dates.start_of_day(date(2024, 2, 29), zone)]
    near = [
        edge + timedelta(microseconds=chance.choice((-1, 0, 1, 10**6)))
        for edge in chance.choices(edges, k=40)
    ]
    anywhere = [
        datetime(2023, 12, 20, tzinfo=UTC) + timedelta(minutes=chance.randrange(1_080_000)) for _ in range(40)
    ]
    return sorted({*near, *anywhere})


def grow(past: Past, owner: Person, currency: str, zone: str) -> Acct:
    """An account with a random history: in and out, by cash and by transfer."""
    chance = random.Random(currency)
    account, other = (past.open("2023-12-01T00:00:00Z", who, currency) for who in (owner, None))
    past.book(other, "2023-12-02T00:00:00Z", 10**9, currency=currency)
    balance = 0
    for at in instants(chance, ZoneInfo(zone)):
        amount = chance.choice((1, 7, 99, 100, 12_345, 9_999_999))
        more: dict[str, Any] = {"currency": currency, "description": chance.choice(TEXTS)}
        if balance >= amount and chance.random() < 0.6:
            past.book(account, at.isoformat(), -amount, **more)
            balance -= amount
        elif chance.random() < 0.5:
            past.book(account, at.isoformat(), amount, **more)
            balance += amount
        else:
            past.pay(other, account, at.isoformat(), amount, **more)
            balance += amount
    return account


def test_months_add_up_and_follow_each_other_in_every_format(
    world: tuple[ApiClient, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, currency, zone = world
    ada, past = client.sign_up(), Past(client.db, monkeypatch, zone)
    account = grow(past, ada, currency, zone)
    path, exponent = f"/v1/statements/{account.id}", CURRENCIES[currency].exponent

    def major(amount: int) -> Decimal:
        return Decimal(amount).scaleb(-exponent)

    told = [ada.get(path, params={"month": month}).json() for month in MONTHS]
    for one, following in itertools.pairwise(told):
        assert one["closing_balance"] == following["opening_balance"]
        assert one["to"] == following["from"]
    for month, one in zip(MONTHS, told, strict=True):
        amounts = [entry["amount"] for entry in one["entries"]]
        assert one["opening_balance"] + sum(amounts) == one["closing_balance"]
        at = {"at": f"{dates.next_month(dates.parse_month(month)) - timedelta(days=1)}"}
        assert (
            ada.get(f"/v1/accounts/{account.id}/balance", params=at).json()["balance"]
            == one["closing_balance"]
        )
        for name, reader in READERS.items():
            found = reader(ada.get(path, params={"month": month, "format": name}).content)
            assert found.entries == [major(amount) for amount in amounts], (name, month)
            assert found.closing in (major(one["closing_balance"]), None), (name, month)
            assert found.opening in (major(one["opening_balance"]), None), (name, month)
            assert found.currency in (currency, None), (name, month)
            if found.value_dates is not None:
                days = [date.fromisoformat(entry["value_date"]) for entry in one["entries"]]
                assert found.value_dates == days, (name, month)
            if found.days:
                assert {f"{day:%Y-%m}" for day in found.days} == {month}, (name, month)
    whole = ada.get(path, params={"from": "2024-01-01", "to": "2025-12-31"}).json()
    assert whole["entries"] == [entry for one in told for entry in one["entries"]]
    assert len(whole["entries"]) > 50
    assert_right(client.db)
