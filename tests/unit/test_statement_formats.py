"""Every format, read back by a program that we did not write."""

import dataclasses
import itertools
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.core.money import CURRENCIES, MAX_AMOUNT
from app.statements.csv_text import neutral
from app.statements.formats import FORMATS
from app.statements.latin import to_ascii, to_swift
from app.statements.statement import Head, Line
from tests.readers import READERS, Read

UTC_ZONE = ZoneInfo("UTC")
NAMES = ["Łukasz Żółć", "José €", "محمد علي", "דוד כהן", "山田太郎", "নাম", "👩‍👩‍👧", "Ngô"]
MARKUP = [
    '<img src="http://127.0.0.1:9/x"/>',
    "<b>x",
    "&lt;",
    "]]>",
    "{{7*7}} ${7*7} %s %n",
    "-}\u00a0:86:",
    "^",
    "\\",
    "!Type:Bank",
]


def line(number: int, amount: int, **changes: Any) -> Line:
    values: dict[str, Any] = {
        "id": f"txn_{number:026}",
        "booked_at": datetime(2026, 2, 1, tzinfo=UTC) + timedelta(hours=number),
        "value_date": date(2026, 2, 1) + timedelta(days=number // 24),
        "kind": "transfer",
        "amount": amount,
        "balance_after": 0,
        "description": None,
        "other_name": "A. L.",
        "other_number": "****1234",
    }
    return Line(**values | changes)


def head(currency: str, opening: int, lines: Sequence[Line], **changes: Any) -> Head:
    amounts = [one.amount for one in lines]
    values: dict[str, Any] = {
        "account_id": "acc_1",
        "account_number": "012345678901",
        "account_kind": "checking",
        "holder_name": "Ada King",
        "currency": CURRENCIES[currency],
        "zone": UTC_ZONE,
        "start": datetime(2026, 2, 1, tzinfo=UTC),
        "end": datetime(2026, 3, 1, tzinfo=UTC),
        "opening": opening,
        "closing": opening + sum(amounts),
        "total_in": sum(one for one in amounts if one > 0),
        "total_out": -sum(one for one in amounts if one < 0),
        "count": len(lines),
        "made_at": datetime(2026, 3, 1, 10, tzinfo=UTC),
    }
    return Head(**values | changes)


def balanced(opening: int, lines: Sequence[Line]) -> list[Line]:
    balances = itertools.accumulate((one.amount for one in lines), initial=opening)
    next(balances)
    return [dataclasses.replace(one, balance_after=after) for one, after in zip(lines, balances, strict=True)]


def read(format_: str, told: Head, lines: Sequence[Line]) -> Read:
    return READERS[format_](b"".join(FORMATS[format_].encode(told, iter(lines))))


def major(told: Head, amount: int) -> Decimal:
    return Decimal(amount).scaleb(-told.currency.exponent)


@pytest.mark.parametrize("format_", READERS)
@pytest.mark.parametrize("currency", ["EUR", "JPY", "KWD", "CLF"])
@pytest.mark.parametrize("opening", [0, 1, -7, 12_345_678_901])
def test_a_file_has_the_entries_and_both_balances(format_: str, currency: str, opening: int) -> None:
    lines = balanced(
        opening, [line(n, amount) for n, amount in enumerate((5, -3, 1_000_000, -1, 99, -100_000))]
    )
    told = head(currency, opening, lines)
    found = read(format_, told, lines)
    assert found.entries == [major(told, one.amount) for one in lines]
    assert found.closing == major(told, told.closing)
    assert found.opening in (major(told, opening), None if format_ == "qif" else "never")
    assert found.currency in (currency, None if format_ == "qif" else "never")
    assert found.account in (told.account_number, None if format_ == "csv" else "never")
    if found.ids is not None:
        assert all(one.id.endswith(told) for one, told in zip(lines, found.ids, strict=True))
    if found.value_dates is not None:
        assert found.value_dates == [one.value_date for one in lines]


@pytest.mark.parametrize("format_", [one for one in READERS if one != "csv"])
def test_a_file_without_entries_still_has_its_balances(format_: str) -> None:
    told = head("EUR", -250, [])
    found = read(format_, told, [])
    assert found.entries == []
    assert found.closing == Decimal("-2.50")
    assert format_ == "qif" or found.opening == Decimal("-2.50")


@pytest.mark.parametrize("format_", ["csv", "camt.053", "ofx", "qif"])
def test_the_largest_amount_is_written_whole(format_: str) -> None:
    lines = balanced(0, [line(1, MAX_AMOUNT)])
    assert read(format_, head("EUR", 0, lines), lines).entries == [Decimal("90071992547409.91")]


def test_an_amount_of_fifteen_characters_is_what_mt940_takes() -> None:
    lines = balanced(0, [line(1, 99_999_999_999_999)])
    assert read("mt940", head("EUR", 0, lines), lines).entries == [Decimal("999999999999.99")]
    lines = balanced(0, [line(1, MAX_AMOUNT)])
    text = b"".join(FORMATS["mt940"].encode(head("EUR", 0, lines), iter(lines)))
    assert b"C90071992547409,91N" in text, "a larger one is not cut"


@pytest.mark.parametrize("format_", ["csv", "camt.053", "ofx"])
@pytest.mark.parametrize("text", [*NAMES, *MARKUP, "x" * 140])
def test_unicode_and_markup_come_back_as_they_were_written(format_: str, text: str) -> None:
    lines = [line(1, 5, description=text, other_name=text[:20])]
    found = read(format_, head("EUR", 0, lines, holder_name=text), lines)
    changed = neutral if format_ == "csv" else str
    assert found.descriptions == [changed(text)]
    shown = text[:20] if format_ != "ofx" else f"{text[:20]} ****1234"[:32]
    assert found.others == [changed(shown)]


@pytest.mark.parametrize("format_", ["mt940", "qif"])
@pytest.mark.parametrize("text", [*NAMES, *MARKUP, "a" * 64 + "-:x", "\x85\x9f\u2028", "x" * 140])
def test_old_formats_have_the_text_in_their_own_characters(format_: str, text: str) -> None:
    lines = [line(1, 5, description=text, other_name=text[:20]), line(2, 6)]
    found = read(format_, head("EUR", 0, lines, holder_name=text), lines)
    assert found.entries == [Decimal("0.05"), Decimal("0.06")]
    assert len(found.descriptions) == 2
    assert all(one.isascii() for one in found.descriptions)


def test_letters_are_spelled_as_a_reader_would_know_them() -> None:
    assert to_ascii("Łukasz Żółć, José € ß") == "Lukasz Zolc, Jose EUR ss"
    assert to_ascii("Νίκος Ёлкин") == "Nikos Elkin"
    assert to_swift('AT&T <x> 5_€ @home; "50%"!') == "AT+T .x. 5-EUR (at)home, '50pct'."
    assert to_ascii("a\x00b\n") == "a b "


def test_the_lines_of_mt940_are_as_long_as_they_may_be() -> None:
    lines = balanced(5, [line(1, -5, description="word " * 28, kind="reversal")])
    text = b"".join(FORMATS["mt940"].encode(head("EUR", 5, lines), iter(lines))).decode()
    rows = text.split("\r\n")
    assert all(len(one.removeprefix(":86:")) <= 65 for one in rows)
    assert rows[:4] == [":20:2026020120260228", ":25:012345678901", ":28C:00001/00001", ":60F:C260201EUR0,05"]
    assert rows[-3:] == [":62F:C260228EUR0,00", "-", ""]


def test_a_day_is_the_banks_in_every_format() -> None:
    zone = ZoneInfo("Pacific/Auckland")
    at = datetime(2026, 1, 31, 11, 30, tzinfo=UTC)
    lines = balanced(0, [line(1, 5, booked_at=at, value_date=date(2026, 2, 1))])
    start = datetime(2026, 1, 31, 11, tzinfo=UTC)
    told = head(
        "EUR", 0, lines, zone=zone, start=start, end=datetime(2026, 2, 28, 11, tzinfo=UTC), month="2026-02"
    )
    assert (told.first_day, told.last_day) == (date(2026, 2, 1), date(2026, 2, 28))
    assert read("qif", told, lines).days == [date(2026, 2, 1)]
    assert read("mt940", told, lines).days == [date(2026, 2, 1)]
    text = b"".join(FORMATS["mt940"].encode(told, iter(lines))).decode()
    assert ":60F:C260201EUR" in text
    assert ":62F:C260228EUR" in text
    assert FORMATS["camt.053"].file_name(told) == "statement-012345678901-2026-02.camt.053.xml"


def test_a_chunk_is_sent_before_the_next_lines_are_read() -> None:
    taken = itertools.count()

    def lines() -> Any:
        for number in range(5000):
            next(taken)
            yield line(number % 600, 1)

    for format_ in FORMATS.values():
        taken = itertools.count()
        chunks = format_.encode(head("EUR", 0, []), lines())
        assert len(next(chunks)) < 200_000
        assert next(taken) < 2500, format_.name
