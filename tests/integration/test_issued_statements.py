"""Statements that have been issued: numbered, and the same for ever, whatever happens later."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy.exc import DBAPIError

from app import issuing
from app.api.filters import ended_month
from app.core import clock
from app.core.caller import Role
from app.core.config import Settings
from app.core.ids import is_id
from app.schemas.statements import IssuedOut, IssuedStatementOut
from app.services import integrity, statements
from app.statements.formats import FORMATS
from tests.bank import (
    Customer,
    assert_right,
    count,
    customer,
    execute,
    issue_statement,
    keyed,
    put,
    rows,
    staff,
    walk_in,
)
from tests.books import Acct
from tests.client import ApiClient, Person, error_of, running
from tests.past import Past
from tests.readers import READERS, pages_of
from tests.server import bank, environment


@pytest.fixture
def past(client: ApiClient, monkeypatch: pytest.MonkeyPatch) -> Past:
    return Past(client.db, monkeypatch)


@pytest.fixture
def ada(client: ApiClient) -> Person:
    return client.sign_up()


@pytest.fixture
def account(ada: Person, past: Past) -> Acct:
    """Ten entries in January 2026, and one a microsecond after it."""
    made = past.open("2025-11-15T00:00:00Z", ada)
    for day in range(1, 11):
        past.book(made, f"2026-01-{day:02}T12:00:00Z", day * 100, description="été")
    past.book(made, "2026-02-01T00:00:00Z", 7)
    return made


def issue_month(
    person: Person, account: Acct | Customer, month: str, key: str | None = None
) -> httpx.Response:
    return person.post(f"/v1/statements/{account.id}/issue", json={"month": month}, headers=keyed(key))


def issued(
    person: Person, account: Acct | Customer, number: int | str, format_: str = "json"
) -> httpx.Response:
    return person.get(f"/v1/statements/{account.id}/issued/{number}", params={"format": format_})


def test_a_month_is_issued_with_a_number_and_its_hash(ada: Person, account: Acct) -> None:
    made = issue_month(ada, account, "2026-01")
    assert made.status_code == 201, made.text
    told = made.json()
    IssuedOut.model_validate(told)
    assert is_id("stm", told["id"])
    assert made.headers["Location"] == f"/v1/statements/{account.id}/issued/1"
    assert {
        name: told[name] for name in ("number", "month", "count", "opening_balance", "closing_balance")
    } == {
        "number": 1,
        "month": "2026-01",
        "count": 10,
        "opening_balance": 0,
        "closing_balance": 5500,
    }
    document = ada.get(made.headers["Location"])
    assert hashlib.sha256(document.content).hexdigest() == told["sha256"]
    whole = document.json()
    IssuedStatementOut.model_validate(whole)
    assert document.text == json.dumps(whole, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    asked = ada.get(f"/v1/statements/{account.id}", params={"month": "2026-01"}).json()
    assert {name: whole[name] for name in asked} == asked


def test_issued_again_it_is_the_same_document_whatever_has_happened(
    client: ApiClient, ada: Person, account: Acct, past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = issue_month(ada, account, "2026-01")
    files = {name: issued(ada, account, 1, name).content for name in FORMATS}
    execute(client.db, "UPDATE account_holders SET full_name = 'Somebody Else'")
    past.book(account, "2026-02-03T00:00:00Z", 1)
    past.books.set(account, status="frozen")
    again = issue_month(ada, account, "2026-01")
    assert (again.status_code, again.json()) == (200, first.json())
    assert {name: issued(ada, account, 1, name).content for name in FORMATS} == files
    assert count(client.db, "issued_statements") == 1
    for name, content in files.items():
        if name in READERS:
            assert len(READERS[name](content).entries) == 10, name


def test_numbers_count_the_statements_of_an_account(ada: Person, account: Acct, past: Past) -> None:
    other = past.open("2025-11-15T00:00:00Z", ada)
    for number, month in enumerate(("2026-01", "2025-12", "2026-02"), 1):
        assert issue_month(ada, account, month).json()["number"] == number
    assert issue_month(ada, other, "2026-01").json()["number"] == 1
    listed = ada.get(f"/v1/statements/{account.id}/issued").json()
    assert [(one["number"], one["month"]) for one in listed["data"]] == [
        (3, "2026-02"),
        (2, "2025-12"),
        (1, "2026-01"),
    ]
    page = ada.get(f"/v1/statements/{account.id}/issued?limit=2").json()
    assert (len(page["data"]), page["has_more"]) == (2, True)
    rest = ada.get(f"/v1/statements/{account.id}/issued", params={"limit": 2, "cursor": page["next_cursor"]})
    assert [one["number"] for one in rest.json()["data"]] == [1]


def test_a_key_makes_a_retry_a_replay(ada: Person, account: Acct) -> None:
    first = issue_month(ada, account, "2026-01", "k")
    again = issue_month(ada, account, "2026-01", "k")
    assert (again.status_code, again.headers["Idempotent-Replayed"], again.json()) == (
        201,
        "true",
        first.json(),
    )
    error_of(issue_month(ada, account, "2025-12", "k"), 422, "idempotency_key_reused")


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "0000-01", "foo", "", "2026-01-01", "٢٠٢٦-٠١"])
def test_a_month_that_is_none_is_refused(client: ApiClient, month: str) -> None:
    ada = customer(client)
    error = error_of(issue_month(ada.person, ada, month), 422, "validation_failed")
    assert [detail["field"] for detail in error["details"]] == ["month"]


def test_a_month_that_is_not_over_or_was_before_the_account_is_refused(client: ApiClient) -> None:
    ada = customer(client, money=5)
    now = clock.now()
    for month, code in (
        (f"{now:%Y-%m}", "not_over"),
        (f"{now.year + 1}-01", "not_over"),
        ("9999-12", "not_over"),
        ("2020-01", "before_opening"),
        ("0001-01", "before_opening"),
    ):
        error = error_of(issue_month(ada.person, ada, month), 422, "validation_failed")
        assert [(one["field"], one["code"]) for one in error["details"]] == [("month", code)], month
    assert count(client.db, "issued_statements") == 0


def test_only_those_who_look_after_an_account_issue_its_statements(client: ApiClient) -> None:
    ada, bob = customer(client), customer(client, "bob")
    teller = staff(client)
    walkin = walk_in(teller)
    for one in (ada, walkin):
        put(client.db, one, created_at=1)
    error_of(issue_month(bob.person, ada, "2026-01"), 404, "not_found")
    error_of(issue_month(staff(client, Role.AUDITOR), ada, "2026-01"), 403, "forbidden")
    assert issue_month(teller, walkin, "2026-01").status_code == 201
    assert issue_month(staff(client, Role.OPERATOR), ada, "2026-01").status_code == 201
    assert rows(client.db, "SELECT count(*) FROM audit_log WHERE action = 'statement.issue'") == [(2,)]


@pytest.mark.parametrize("number", ["0", "2", "01", "+1", "1.0", "-1", "x", "١", "9" * 30, "%00", "1%0a"])
def test_a_number_that_no_statement_has_is_not_found(client: ApiClient, number: str) -> None:
    ada = customer(client)
    assert issue_statement(client, ada).status_code == 201
    assert issued(ada.person, ada, 1).status_code == 200
    error = error_of(issued(ada.person, ada, number), 404, "not_found")
    assert [detail["field"] for detail in error["details"]] == ["number"]


def test_many_who_issue_at_the_same_moment_get_one_document(
    ada: Person, account: Acct, client: ApiClient
) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: issue_month(ada, account, "2026-01"), range(8)))
    assert sorted(one.status_code for one in answers) == [200] * 7 + [201]
    assert len({one.text for one in answers}) == 1
    assert count(client.db, "issued_statements") == 1


def test_what_is_booked_in_the_month_after_the_draft_is_on_the_statement(
    ada: Person, account: Acct, past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    past.book(late := past.open("2025-11-15T00:00:00Z", ada), "2026-02-05T00:00:00Z", 5)
    find = statements.find_unissued

    def find_and_pay(*args: Any, **kwargs: Any) -> Any:
        found = find(*args, **kwargs)
        paying.append(1)
        return found

    paying: list[int] = []
    monkeypatch.setattr(statements, "find_unissued", find_and_pay)
    create = statements.draft

    def draft_and_pay(*args: Any) -> Any:
        yield from create(*args)
        if len(paying) == 1:
            paying.append(2)
            past.book(late, "2026-02-28T23:59:59.999999Z", 11)

    monkeypatch.setattr(statements, "draft", draft_and_pay)
    told = issue_month(ada, late, "2026-02").json()
    assert (told["count"], told["closing_balance"]) == (2, 16)
    document = issued(ada, late, told["number"])
    assert hashlib.sha256(document.content).hexdigest() == told["sha256"]
    assert [one["amount"] for one in document.json()["entries"]] == [5, 11]


def test_the_bank_names_itself_and_what_is_issued_keeps_the_name_of_then(settings: Settings) -> None:
    with running(settings.model_copy(update={"bank_name": "Łódź & Sons"})) as client:
        ada = customer(client)
        assert issue_statement(client, ada).json()["issuer"] == "Łódź & Sons"
        pages = pages_of(ada.person.get(f"/v1/statements/{ada.id}?format=pdf").content)
        assert pages[0].startswith("Łódź & Sons\n")
    with running(settings) as client:
        later = ada.at(client).person
        assert pages_of(issued(later, ada, 1, "pdf").content)[0].startswith("Łódź & Sons\n")
        assert pages_of(later.get(f"/v1/statements/{ada.id}?format=pdf").content)[0].startswith(
            "Account statement"
        )


def test_a_long_month_is_kept_in_parts_and_told_as_one(
    ada: Person, account: Acct, client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "_CHUNK", 3)
    told = issue_month(ada, account, "2026-01").json()
    assert count(client.db, "issued_parts") == 4
    document = issued(ada, account, 1)
    assert hashlib.sha256(document.content).hexdigest() == told["sha256"]
    assert [one["amount"] for one in document.json()["entries"]] == [day * 100 for day in range(1, 11)]


@pytest.mark.parametrize("table", ["issued_statements", "issued_parts"])
@pytest.mark.parametrize("act", ["UPDATE {} SET {} = {}", "DELETE FROM {}"])
def test_the_database_itself_refuses_to_change_one(
    ada: Person, account: Acct, client: ApiClient, table: str, act: str
) -> None:
    issue_month(ada, account, "2026-01")
    column = "number" if table == "issued_statements" else "part"
    with pytest.raises(DBAPIError, match="append-only"):
        execute(client.db, act.format(table, column, column))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE issued_statements SET number = 2, head = replace(cast(head AS text), '5500', '5501')",
        "UPDATE issued_statements SET sha256 = replace(sha256, substr(sha256, 1, 8), '00000000')",
        "UPDATE issued_statements SET head = '{}'",
        "UPDATE issued_statements SET parts = 0",
        "UPDATE issued_parts SET content = x'00'",
        "DELETE FROM issued_parts",
    ],
)
def test_verify_finds_a_document_that_was_changed_past_the_guards(
    client: ApiClient, ada: Person, account: Acct, change: str
) -> None:
    told = issue_month(ada, account, "2026-01").json()
    assert_right(client.db)
    is_sqlite = client.db.engines.writer.dialect.name == "sqlite"
    for table in ("issued_statements", "issued_parts"):
        for one in ("update", "delete") if is_sqlite else ("all",):
            drop = (
                f"DROP TRIGGER {table}_no_{one}" if is_sqlite else f"ALTER TABLE {table} DISABLE TRIGGER USER"
            )
            execute(client.db, drop)
    if not is_sqlite:
        change = change.replace("'5501')", "'5501')::json").replace("x'00'", "'x'::bytea")
    execute(client.db, change)
    findings = client.db.run_read(integrity.verify).findings
    assert [(one.rule, one.row) for one in findings] == [
        ("an issued statement is what its hash is of", told["id"])
    ]


class TestTheCommand:
    def run(self, settings: Settings, folder: Path, month: str = "2026-01") -> Any:
        env = environment(settings.database_url)
        return bank("issue-statements", "--month", month, env=env, cwd=folder)

    def test_issues_for_every_account_that_was_there(
        self, client: ApiClient, settings: Settings, tmp_path: Path, ada: Person, account: Acct, past: Past
    ) -> None:
        nobodys = past.open("2026-01-31T23:59:59.999999Z")
        past.open("2026-02-01T00:00:00Z", currency="JPY")
        before = issue_month(ada, account, "2026-01").json()
        done = self.run(settings, tmp_path)
        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 statements of 2026-01 issued."), (
            done.stderr
        )
        again = self.run(settings, tmp_path)
        assert again.stdout.splitlines()[-1] == "0 statements of 2026-01 issued."
        issued = rows(client.db, "SELECT account_key, number, issued_by FROM issued_statements")
        issued_for = {one[0]: tuple(one[1:]) for one in issued}
        assert issued_for.keys() == {account.key, nobodys.key}
        assert issued_for[nobodys.key] == (1, "system")
        assert ada.get(f"/v1/statements/{account.id}/issued").json()["data"] == [before]

    def test_goes_on_where_it_was_interrupted(
        self, client: ApiClient, past: Past, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(issuing, "_PAGE", 2)
        opened = [past.open("2026-01-01T00:00:00Z") for _ in range(5)]
        for account in opened:
            past.book(account, "2026-01-02T00:00:00Z", 1)
        period = ended_month("2026-01", ZoneInfo("UTC"))
        first = issuing.issue_all(client.db, period, "A Bank")
        done = [next(first) for _ in range(3)]
        first.close()
        assert client.db.run_read(statements.count_unissued_accounts, period) == 2
        done += issuing.issue_all(client.db, period, "A Bank")
        assert done == [one.id for one in opened]
        assert count(client.db, "issued_statements") == 5

    @pytest.mark.parametrize("month", ["2026-13", "9999-12", "foo", "2026-1"])
    def test_takes_only_a_month_that_is_over(self, tmp_path: Path, month: str) -> None:
        url = f"sqlite:///{tmp_path}/bank.db"
        told = bank("issue-statements", "--month", month, env=environment(url), cwd=tmp_path)
        assert (told.returncode, told.stderr) == (
            1,
            "Error: --month takes a month that is over, such as 2026-02.\n",
        )
