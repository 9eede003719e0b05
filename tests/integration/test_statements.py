"""Statements over HTTP: which entries are on one, what it says of them, who gets it, and as what."""

import csv
import io
import itertools
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pypdfium2 as pdfium
import pytest

from app.core import clock, errors
from app.core.config import Settings
from app.db.unit_of_work import Database
from app.schemas.statements import StatementOut
from app.services import statements
from app.statements import formats
from app.statements.formats import FORMATS
from tests.bank import Customer, customer, put, rows, staff
from tests.books import Acct
from tests.client import ApiClient, Person, error_of, running
from tests.past import Past
from tests.readers import READERS, of_pdf

Open = Callable[[str], ApiClient]


@pytest.fixture
def past(client: ApiClient, monkeypatch: pytest.MonkeyPatch) -> Past:
    return Past(client.db, monkeypatch)


@pytest.fixture
def ada(client: ApiClient) -> Person:
    return client.sign_up()


def ask(person: Person, account: Acct | Customer, **query: str) -> httpx.Response:
    return person.get(f"/v1/statements/{account.id}", params={key.rstrip("_"): v for key, v in query.items()})


def get(person: Person, account: Acct | Customer, **query: str) -> dict[str, Any]:
    answer = ask(person, account, **query)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    assert set(told) == {
        *("account_id", "account_number", "currency", "from", "to", "opening_balance", "closing_balance"),
        *("total_in", "total_out", "count", "entries"),
    }
    StatementOut.model_validate(told)
    balances = list(
        itertools.accumulate((one["amount"] for one in told["entries"]), initial=told["opening_balance"])
    )
    assert [one["balance_after"] for one in told["entries"]] == balances[1:]
    assert balances[-1] == told["closing_balance"]
    assert told["opening_balance"] + told["total_in"] - told["total_out"] == told["closing_balance"]
    assert told["total_in"] == sum(one["amount"] for one in told["entries"] if one["amount"] > 0)
    assert told["count"] == len(told["entries"])
    return told


def amounts(told: dict[str, Any]) -> list[int]:
    return [one["amount"] for one in told["entries"]]


def test_a_day_is_on_the_statement_from_its_first_to_its_last_microsecond(ada: Person, past: Past) -> None:
    account = past.open("2025-09-01T00:00:00Z", ada)
    for instant, amount in (
        ("2025-09-30T23:59:59.999999Z", 7),
        ("2025-10-01T00:00:00Z", 10_000),
        ("2025-10-31T23:59:59.999999Z", 20_000),
        ("2025-11-01T00:00:00Z", 100),
    ):
        past.book(account, instant, amount)
    for query in (
        {"from_": "2025-10-01", "to": "2025-10-31"},
        {"month": "2025-10"},
        {"from_": "2025-10-01T00:00:00Z", "to": "2025-11-01T01:00:00+01:00"},
    ):
        told = get(ada, account, **query)
        assert amounts(told) == [10_000, 20_000]
        assert (told["opening_balance"], told["closing_balance"]) == (7, 30_007)
        assert (told["from"], told["to"]) == ("2025-10-01T00:00:00.000000Z", "2025-11-01T00:00:00.000000Z")
    assert amounts(get(ada, account, from_="2025-10-31", to="2025-10-31")) == [20_000]
    assert amounts(get(ada, account, from_="2025-10-01T00:00:00Z", to="2025-10-01T00:00:00Z")) == []


def test_without_a_period_it_is_everything_until_now(ada: Person, past: Past) -> None:
    account = past.open("2025-09-01T10:00:00Z", ada)
    past.book(account, "2025-09-02T10:00:00Z", 5)
    past.book(account, "2025-09-03T10:00:00Z", -2)
    told = get(ada, account)
    assert amounts(told) == [5, -2]
    assert (told["from"], told["opening_balance"]) == ("2025-09-01T10:00:00.000000Z", 0)
    assert told["to"] <= clock.rfc3339(clock.now())
    assert amounts(get(ada, account, to="2025-09-02")) == [5]
    assert amounts(get(ada, account, from_="2025-09-03")) == [-2]
    assert amounts(get(ada, account, to="2020-01-01")) == []
    assert amounts(get(ada, account, from_="0001-01-01", to="9999-12-31")) == [5, -2]


def test_what_goes_out_and_what_is_taken_back_are_lines_of_their_own(client: ApiClient) -> None:
    ada = customer(client, money=1000)
    bob = customer(client, "bob")
    paid = ada.pay(bob, 300, description="rent").json()
    teller = staff(client)
    teller.post(f"/v1/transfers/{paid['id']}/reverse", headers={"Idempotency-Key": "r"})
    told = get(ada.person, ada)
    assert [(one["type"], one["amount"]) for one in told["entries"]] == [
        ("deposit", 1000),
        ("transfer", -300),
        ("reversal", 300),
    ]
    assert (told["total_in"], told["total_out"]) == (1300, 300)
    entry = told["entries"][1]
    same = ada.person.get(f"/v1/transactions/{entry['id']}").json()
    assert {name: same[name] for name in entry} == entry
    assert get(bob.person, bob)["entries"][0]["counterparty"]["name"] == "A. E."


def test_a_hold_is_not_on_it(client: ApiClient) -> None:
    ada = customer(client, money=1000)
    put(client.db, ada, held=400)
    assert get(ada.person, ada)["closing_balance"] == 1000


def test_an_empty_period_and_a_closed_account_have_statements(ada: Person, past: Past) -> None:
    account = past.open("2025-01-01T00:00:00Z", ada)
    past.book(account, "2025-01-05T00:00:00Z", 50)
    past.book(account, "2025-03-05T00:00:00Z", -50)
    past.books.set(account, status="closed")
    february = get(ada, account, month="2025-02")
    assert (february["opening_balance"], february["closing_balance"], february["count"]) == (50, 50, 0)
    assert get(ada, account, month="2024-12")["closing_balance"] == 0
    assert get(ada, account, month="2025-03")["closing_balance"] == 0


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "2025-10-31", "to": "2025-10-01"}, "from"),
        ({"from": "9999-12-31"}, "from"),
        ({"month": "2025-13"}, "month"),
        ({"month": "2025-00"}, "month"),
        ({"month": "2025-1"}, "month"),
        ({"month": "0000-01"}, "month"),
        ({"month": "٢٠٢٥-٠١"}, "month"),
        ({"month": "2025-10", "from": "2025-10-01"}, "month"),
        ({"month": "2025-10", "to": "2025-10-01"}, "month"),
        ({"from": "2025-10-02", "to": "2025-10-01"}, "from"),
        ({"from": "2025-10-02", "to": "2025-10-01", "basis": "value"}, "from"),
        *[
            ({name: value}, name)
            for name in ("from", "to")
            for value in (
                *(
                    "foo",
                    "",
                    "2025-02-29",
                    "2025-02-30",
                    "2025-13-01",
                    "0000-01-01",
                    "1730000000",
                    "2025-1-1",
                ),
                *("2025-10-31T24:00:00Z", "2025-10-31T23:59:60Z", "2025-10-31T23:59:59", "٢٠٢٥-٠١-٠١"),
            )
        ],
    ],
)
def test_a_period_that_is_none_is_refused(database: Settings, query: dict[str, str], field: str) -> None:
    with running(database) as client:
        ada = customer(client)
        answer = ada.person.get(f"/v1/statements/{ada.id}", params=query)
        error = error_of(answer, 422, "validation_failed")
        assert [detail["field"] for detail in error["details"]] == [field]


@pytest.fixture
def database(settings: Settings) -> Settings:
    """Refused before the database is asked, so one of them is enough."""
    return settings


def test_the_last_month_there_is_has_a_statement(client: ApiClient) -> None:
    ada = customer(client, money=5)
    told = get(ada.person, ada, month="9999-12")
    assert (told["to"], told["closing_balance"]) == ("9999-12-31T23:59:59.999999Z", 5)
    assert get(ada.person, ada, month="0001-01")["closing_balance"] == 0


@pytest.fixture
def opened(settings: Settings) -> Iterator[Open]:
    """The service in another time zone."""
    with pytest.MonkeyPatch.context():
        running_now: list[Any] = []

        def start(zone: str) -> ApiClient:
            where = running(settings.model_copy(update={"bank_timezone": ZoneInfo(zone)}))
            running_now.append(where)
            return where.__enter__()

        yield start
        for one in running_now:
            one.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("zone", "day", "hours", "inside", "outside"),
    [
        # The clocks go forward: 23 hours; the local day begins at 08:00Z.
        (
            "America/Los_Angeles",
            "2025-03-09",
            23,
            [
                "2025-03-09T08:00:00Z",
                "2025-03-09T09:59:00Z",
                "2025-03-09T10:01:00Z",
                "2025-03-10T06:59:59.999999Z",
            ],
            ["2025-03-09T07:59:59.999999Z", "2025-03-10T07:00:00Z"],
        ),
        # And back: half past one comes twice, and both are there in the order they happened.
        (
            "America/Los_Angeles",
            "2025-11-02",
            25,
            ["2025-11-02T07:00:00Z", "2025-11-02T08:30:00Z", "2025-11-02T09:30:00Z", "2025-11-03T07:59:59Z"],
            ["2025-11-02T06:59:59Z", "2025-11-03T08:00:00Z"],
        ),
        (
            "Europe/Berlin",
            "2026-03-29",
            23,
            ["2026-03-28T23:00:00Z", "2026-03-29T21:59:59Z"],
            ["2026-03-29T22:00:00Z"],
        ),
        # Half an hour of summer time.
        (
            "Australia/Lord_Howe",
            "2026-04-05",
            24.5,
            ["2026-04-04T13:00:00Z", "2026-04-05T13:29:59Z"],
            ["2026-04-05T13:30:00Z"],
        ),
        # Summer time begins at midnight: the day begins at one.
        (
            "Asia/Beirut",
            "2026-03-29",
            23,
            ["2026-03-28T22:00:00Z", "2026-03-29T20:59:59Z"],
            ["2026-03-29T21:00:00Z"],
        ),
        (
            "Asia/Kathmandu",
            "2024-02-29",
            24,
            ["2024-02-28T18:15:00Z", "2024-02-29T18:14:59Z"],
            ["2024-02-29T18:15:00Z"],
        ),
    ],
)
def test_a_day_is_the_banks_and_as_long_as_it_is(
    opened: Open,
    monkeypatch: pytest.MonkeyPatch,
    zone: str,
    day: str,
    hours: float,
    inside: list[str],
    outside: list[str],
) -> None:
    client = opened(zone)
    ada, past = client.sign_up(), Past(client.db, monkeypatch, zone)
    account = past.open("2023-01-01T00:00:00Z", ada)
    for number, instant in enumerate(sorted([*inside, *outside], key=datetime.fromisoformat)):
        past.book(account, instant, number + 1)
    told = get(ada, account, from_=day, to=day)
    length = datetime.fromisoformat(told["to"]) - datetime.fromisoformat(told["from"])
    assert length.total_seconds() == hours * 3600
    booked = [datetime.fromisoformat(one["booked_at"]) for one in told["entries"]]
    assert booked == [datetime.fromisoformat(instant) for instant in inside]
    assert {one["value_date"] for one in told["entries"]} == {day}
    everything = [get(ada, account, month=month) for month in months("2023-12", "2026-06")]
    assert sum(one["count"] for one in everything) == len(inside) + len(outside)
    assert all(
        one["closing_balance"] == two["opening_balance"] for one, two in itertools.pairwise(everything)
    )
    assert all(one["to"] == two["from"] for one, two in itertools.pairwise(everything))


def months(first: str, last: str) -> list[str]:
    found = [first]
    while found[-1] < last:
        year, month = map(int, found[-1].split("-"))
        found.append(f"{year + month // 12}-{month % 12 + 1:02}")
    return found


def test_a_long_statement_is_read_in_chunks_and_is_as_it_was_when_it_was_asked_for(
    client: ApiClient, past: Past, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "_CHUNK", 4)
    account = past.open("2025-01-01T00:00:00Z", ada)
    for number in range(1, 11):
        past.book(account, f"2025-01-02T00:00:{number:02}Z", number)
    read, taken = client.db.run_read, []

    def run_read(work: Any, *given: Any) -> Any:
        # Somebody pays between two chunks.
        if given:
            taken.append(given)
            past.book(account, f"2025-01-03T00:00:{len(taken):02}Z", 1000)
        return read(work, *given)

    monkeypatch.setattr(Database, "run_read", lambda self, work, *given: run_read(work, *given))
    assert amounts(get(ada, account)) == list(range(1, 11))
    assert len(taken) == 3
    assert sum(amounts(get(ada, account))) == 55 + 3000


def test_the_format_is_what_is_named_or_else_what_is_accepted(client: ApiClient) -> None:
    ada = customer(client, money=5)
    path = f"/v1/statements/{ada.id}?month=2026-02"
    name = f"statement-{ada.number}-2026-02"
    for query, accept, media, suffix in (
        ("", None, "application/json", "json"),
        ("", "*/*", "application/json", "json"),
        ("", "text/html, application/xhtml+xml;q=0.9, */*;q=0.1", "application/json", "json"),
        ("", "text/csv", "text/csv; charset=utf-8", "csv"),
        ("", "TEXT/*", "text/csv; charset=utf-8", "csv"),
        ("", "application/json;q=0.5, text/csv ; q=0.75", "text/csv; charset=utf-8", "csv"),
        ("", "text/csv;q=0, */*", "application/json", "json"),
        ("&format=csv", "application/json", "text/csv; charset=utf-8", "csv"),
        ("&format=json", "text/csv", "application/json", "json"),
        ("&format=pdf", None, "application/pdf", "pdf"),
        ("&format=camt.053", None, "application/xml", "camt.053.xml"),
        ("&format=mt940", None, "application/x-mt940", "mt940"),
        ("&format=ofx", None, "application/x-ofx", "ofx"),
        ("", "application/x-qif", "application/x-qif", "qif"),
        ("", "application/xml, application/pdf", "application/pdf", "pdf"),
        ("&format=json", "image/png", "application/json", "json"),
    ):
        answer = ada.person.get(path + query, headers={"Accept": accept} if accept else {})
        assert answer.status_code == 200, (query, accept)
        assert answer.headers["Content-Type"] == media, (query, accept)
        assert answer.headers["Content-Disposition"].endswith(f'; filename="{name}.{suffix}"')


def test_a_format_that_is_none_is_not_acceptable(client: ApiClient) -> None:
    ada = customer(client)
    for query, accept in (
        ("format=docx", "*/*"),
        ("format=", "*/*"),
        ("format=CSV", "*/*"),
        ("", "image/png"),
        ("", ""),
        ("", "text/csv;q=0"),
        ("", "text/csv;q=0.0001, text/*;q=nan"),
        ("", ",".join(f"image/x-{number}" for number in range(2000))),
    ):
        answer = ada.person.get(f"/v1/statements/{ada.id}?{query}", headers={"Accept": accept})
        error_of(answer, 406, "not_acceptable")
    error_of(ada.person.get("/v1/statements/acc_x?format=docx"), 406, "not_acceptable")


def test_a_file_says_its_period(client: ApiClient) -> None:
    ada = customer(client)
    for query, period in (
        ({"from_": "2026-01-01", "to": "2026-01-31"}, "2026-01-01_2026-01-31"),
        ({"from_": "2026-01-01T10:00:00Z", "to": "2026-01-01T10:00:00Z"}, "2026-01-01_2026-01-01"),
        ({"month": "2026-01"}, "2026-01"),
    ):
        answer = ask(ada.person, ada, format="csv", **query)
        wanted = f'attachment; filename="statement-{ada.number}-{period}.csv"'
        assert answer.headers["Content-Disposition"] == wanted


def test_csv_has_a_line_an_entry_and_plain_numbers(client: ApiClient, past: Past, ada: Person) -> None:
    for currency, figures in (
        ("EUR", ["0.07", "1.05", "-10.00", "154185.12"]),
        ("JPY", ["7", "105", "-1000", "15418512"]),
        ("KWD", ["0.007", "0.105", "-1.000", "15418.512"]),
    ):
        account = past.open("2025-01-01T00:00:00Z", ada, currency)
        past.book(account, "2025-01-01T00:00:01Z", 5000, currency=currency)
        for number, amount in enumerate((7, 105, -1000, 15_418_512)):
            past.book(account, f"2025-01-02T00:00:0{number}Z", amount, currency=currency)
        query = {"from_": "2025-01-02", "to": "2025-01-02"}
        text = ask(ada, account, format="csv", **query).content.decode()
        assert text.count("\r\n") == text.count("\n") == 5
        read = list(csv.DictReader(io.StringIO(text, newline="")))
        told = get(ada, account, **query)
        assert [one["amount"] for one in read] == figures
        assert {one["currency"] for one in read} == {currency}
        for one, line in zip(told["entries"], read, strict=True):
            for name in ("id", "booked_at", "value_date", "type"):
                assert line[name] == one[name]
            assert line["description"] == ""
            assert (line["counterparty_name"], line["counterparty_account"]) == ("cash", "")
        assert (
            read[-1]["balance_after"] == {"EUR": "154226.24", "JPY": "15422624", "KWD": "15422.624"}[currency]
        )


@pytest.mark.parametrize(
    "text",
    [
        *(
            '=HYPERLINK("http://x.test","pay")',
            "+1+1",
            "-2+3",
            "@SUM(A1)",
            "＝1+1",
            "＋1",
            "－1",
            "＠x",
            "﹢1",
        ),
        *('"=1', " =1", "\u3000=1", "'=1", "=1\u00a0", "\u00ad=1", "\ufe0f=1", "\u1680=1"),
    ],
)
def test_no_spreadsheet_runs_what_somebody_wrote(client: ApiClient, text: str) -> None:
    ada = customer(client, money=5)
    assert ada.fund("deposit", 1, description=text).status_code == 201
    assert get(ada.person, ada)["entries"][-1]["description"] == text
    read = list(csv.DictReader(io.StringIO(ask(ada.person, ada, format="csv").text, newline="")))
    assert read[-1]["description"] == f"'{text}"
    assert (read[-1]["amount"], read[-1]["balance_after"]) == ("0.01", "0.06")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("x;=1+1", "x;'=1+1"),
        ('x";=1', "x\";'=1"),
        ("rent|@x;-", "rent|'@x;'-"),
        (";=1+1", "';'=1+1"),
        ("|=1", "'|'=1"),
        ("rent; may", "rent; may"),
    ],
)
def test_no_part_of_a_text_is_a_formula_for_whom_other_separators_are_cells(
    client: ApiClient, text: str, written: str
) -> None:
    ada = customer(client, money=5)
    assert ada.fund("deposit", 1, description=text).status_code == 201
    read = list(csv.DictReader(io.StringIO(ask(ada.person, ada, format="csv").text, newline="")))
    assert read[-1]["description"] == written


@pytest.mark.parametrize(
    "text", ["rent, may", 'she said "yes"', "Łukasz €", "👩‍👩‍👧", "a=b", "1-2", "x" * 140]
)
def test_a_harmless_text_is_in_the_file_as_it_was_written(client: ApiClient, text: str) -> None:
    ada = customer(client, money=5)
    assert ada.fund("deposit", 1, description=text).status_code == 201
    answer = ask(ada.person, ada, format="csv")
    read = list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))
    assert read[-1]["description"] == text


@pytest.mark.parametrize("format_", FORMATS)
def test_the_longest_period_there_is_can_be_told_in_every_format(client: ApiClient, format_: str) -> None:
    ada = customer(client, money=1050)
    answer = ask(ada.person, ada, format=format_, from_="0001-01-01", to="9999-12-31")
    assert answer.status_code == 200
    if format_ in READERS:
        assert READERS[format_](answer.content).entries == [Decimal("10.50")]


def test_another_customers_statement_is_not_there_in_any_format(client: ApiClient) -> None:
    ada, bob = customer(client, money=5), customer(client, "bob")
    for format_ in FORMATS:
        for wanted in (ada.id, ada.id[:-1] + ("0" if ada.id[-1] != "0" else "1"), "x", "%00"):
            answer = bob.person.get(f"/v1/statements/{wanted}?format={format_}")
            error = error_of(answer, 404, "not_found")
            assert [detail["field"] for detail in error["details"]] == ["account_id"]


def test_a_short_statement_is_told_whole_or_refused(
    client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = customer(client, money=5)
    assert "Content-Length" in ask(ada.person, ada).headers

    def fail(*_: Any) -> Any:
        raise errors.DatabaseUnavailable()

    monkeypatch.setattr(statements, "_lines", fail)
    error_of(ask(ada.person, ada), 503, "database_unavailable")


def test_a_pdf_is_on_the_paper_that_is_asked_for(client: ApiClient) -> None:
    ada = customer(client, money=1050)
    for paper, size in (("a4", (595, 842)), ("letter", (612, 792)), ("", (595, 842))):
        more = {"paper": paper} if paper else {}
        content = ask(ada.person, ada, format="pdf", **more).content
        with pdfium.PdfDocument(content) as document:
            assert tuple(map(round, document.get_page_size(0))) == size
        assert of_pdf(content).closing == Decimal("10.50")
    error_of(ask(ada.person, ada, format="pdf", paper="a5"), 422, "validation_failed")


def test_the_banks_own_accounts_have_none_to_show(client: ApiClient) -> None:
    customer(client, money=5)
    [(cash,)] = rows(client.db, "SELECT id FROM accounts WHERE kind = 'cash'")
    error_of(staff(client).get(f"/v1/statements/{cash}"), 404, "not_found")


def test_an_answer_that_fails_in_its_middle_has_no_end(
    client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads it must not take what came for the whole."""
    ada = customer(client, money=5)
    ada.deposit(6)
    read = statements._lines

    def fail_second(session: Any, found: Any, after: int) -> Any:
        if after:
            raise errors.DatabaseUnavailable()
        return read(session, found, after)

    monkeypatch.setattr(statements, "_CHUNK", 1)
    monkeypatch.setattr(formats, "_CHUNK", 1)
    monkeypatch.setattr(statements, "_lines", fail_second)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "path": f"/v1/statements/{ada.id}",
        "query_string": b"",
        "headers": [(b"host", b"bank.test"), (b"authorization", ada.person.bearer["Authorization"].encode())],
    }
    client.loop.run(client.app(scope, receive, send))
    assert [one["more_body"] for one in sent[1:]] == [True, True]
    assert sent[0]["status"] == 200
