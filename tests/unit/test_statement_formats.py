"""Every format, read back by a program that we did not write."""

import dataclasses
import itertools
import re
import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pypdfium2 as pdfium
import pytest

from app.api.negotiation import choose
from app.core.money import CURRENCIES, MAX_AMOUNT
from app.statements.csv_text import neutral
from app.statements.formats import FORMATS
from app.statements.latin import to_ascii, to_swift
from app.statements.pdf import on_a4, on_letter
from app.statements.script import MISSING
from app.statements.statement import Head, Line
from tests.readers import READERS, Read, of_pdf, pages_of

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


def pdf(told: Head, lines: Sequence[Line], write: Any = on_a4) -> bytes:
    return b"".join(write(told, iter(lines)))


def text_of(content: bytes) -> str:
    return "\n".join(pages_of(content))


@pytest.mark.parametrize(
    ("name", "times"),
    # The reader turns the words of the title around where it is of two directions.
    [
        *((one, 3) for one in ("Łukasz Żółć", "José €", "Ngô", "Νίκος Ёлкин ₹ ß")),
        ("محمد علي", 2),
        ("דוד כהן", 2),
    ],
)
def test_a_name_can_be_read_on_the_page(name: str, times: int) -> None:
    lines = [line(1, -1050, description=name, other_name=name)]
    text = text_of(pdf(head("EUR", 0, lines, holder_name=name), lines))
    wanted = unicodedata.normalize("NFC", name)
    assert unicodedata.normalize("NFKC", text).count(wanted) == times
    assert "-10.50" in text


@pytest.mark.parametrize("name", ["山田太郎", "নাম", "👩‍👩‍👧", "\ud800"])
def test_what_the_font_lacks_is_replaced_where_everybody_sees_it(name: str) -> None:
    text = text_of(pdf(head("EUR", 0, [], holder_name=f"{name} x"), []))
    replaced = sum(unicodedata.category(one) != "Cf" for one in name)
    assert f"{MISSING * replaced} x" in text


@pytest.mark.parametrize(
    "text", [*MARKUP, '<para><font color="[[[getattr(pow,Word(1))]]]">', "x" * 140, "w " * 70]
)
def test_mark_up_is_drawn_and_never_means_anything(text: str) -> None:
    lines = [line(1, 5, description=text, other_name=text[:20])]
    content = pdf(head("EUR", 0, lines, holder_name=text), lines)
    shown = text_of(content).replace("\n", "").replace(" ", "").replace("\u00a0", "")
    assert text.replace(" ", "").replace("\u00a0", "") in shown
    assert b"/URI" not in content
    assert b"/JavaScript" not in content


def test_nothing_is_drawn_over_something_else() -> None:
    lines = [line(1, MAX_AMOUNT, other_name="W. " * 50, description="W" * 140)]
    text = text_of(pdf(head("EUR", 0, lines, holder_name="W" * 100), lines))
    assert re.search(r"Transfer from (W\. )+W\.… \*{4}1234 01 Feb 2026 90071992547409\.91 0\.00\n", text)
    assert text.count("W" * 100) == 1
    assert max(len(one) for one in text.splitlines() if set(one) == {"W"} and len(one) < 100) < 40


@pytest.mark.parametrize(("write", "size"), [(on_a4, (595, 842)), (on_letter, (612, 792))])
def test_each_page_says_which_of_how_many_it_is_and_carries_the_balance(
    write: Any, size: tuple[int, int]
) -> None:
    lines = balanced(0, [line(n, n + 1, description="x" * (n % 100)) for n in range(200)])
    content = pdf(head("EUR", 0, lines), lines, write)
    with pdfium.PdfDocument(content) as document:
        assert [tuple(map(round, document.get_page_size(n))) for n in range(len(document))] == [size] * len(
            document
        )
    pages = pages_of(content)
    assert len(pages) > 5
    carried = ""
    for number, page in enumerate(pages, 1):
        assert f"Page {number} of {len(pages)}" in page
        if carried:
            assert f"Brought forward {carried}" in page
        carried = page.partition("Carried forward ")[2].partition("\n")[0]
    assert of_pdf(content).entries == [major(head("EUR", 0, []), one.amount) for one in lines]


def test_the_same_statement_is_the_same_file() -> None:
    lines = [line(1, 5, description="دوم")]
    assert pdf(head("EUR", 0, lines), lines) == pdf(head("EUR", 0, lines), lines)


def test_the_balance_line_is_drawn_as_a_vector() -> None:
    lines = balanced(0, [line(1, 5), line(2, -9)])
    with pdfium.PdfDocument(pdf(head("EUR", 0, lines), lines)) as document:
        kinds = [one.type for one in document[0].get_objects(max_depth=3)]
        assert kinds.count(pdfium.raw.FPDF_PAGEOBJ_IMAGE) == 0
        inside = [one for one in document[0].get_objects(max_depth=3) if one.level > 0]
        assert pdfium.raw.FPDF_PAGEOBJ_PATH in [one.type for one in inside]


def test_the_fonts_are_in_the_file() -> None:
    content = pdf(head("EUR", 0, []), [])
    assert content.count(b"/FontFile2") == 2
    assert b"/Helvetica" not in text_of(content).encode()


def test_a_page_leaves_before_the_next_is_drawn() -> None:
    pieces = on_a4(head("EUR", 0, []), (line(n, 1) for n in itertools.count()))
    sizes = [len(next(pieces)) for _ in range(50)]
    assert max(sizes) < 20_000


def test_two_threads_draw_two_statements() -> None:
    told = [
        (head("EUR", n, [], holder_name=f"Ada {n} Ωя"), [line(n, n, description="é" * n)])
        for n in range(1, 9)
    ]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda one: pdf(*one), told)) == [pdf(*one) for one in told]


@pytest.mark.parametrize("count", range(14, 34))
def test_a_last_page_has_room_for_the_closing_balance_or_there_is_another(count: int) -> None:
    lines = balanced(0, [line(n, n + 1) for n in range(count)])
    content = pdf(head("EUR", 0, lines), lines)
    found = of_pdf(content)
    assert (len(found.entries), found.closing) == (count, Decimal(count * (count + 1) // 2).scaleb(-2))
    assert all("Account 012345678901" in page for page in pages_of(content))


def test_what_six_lines_of_mt940_cannot_hold_is_cut() -> None:
    lines = balanced(0, [line(1, 5, description="Щ€" * 70, other_name="Щ. " * 50)])
    text = b"".join(FORMATS["mt940"].encode(head("EUR", 0, lines), iter(lines))).decode()
    about = text.partition(":86:")[2].partition("\r\n:62F:")[0].split("\r\n")
    assert [len(one) <= 65 for one in about] == [True] * 6
    assert read("mt940", head("EUR", 0, lines), lines).entries == [Decimal("0.05")]


@pytest.mark.parametrize(
    ("accept", "wanted"), [("text/csv;x=1;q=0.5, */*;q=0.4", "csv"), ("application/pdf;q", "json")]
)
def test_parameters_beside_the_weight_do_not_count(accept: str, wanted: str) -> None:
    assert choose(None, [f"{accept}, application/json;q=0.3"]).name == wanted
