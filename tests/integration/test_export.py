"""`bank export`: the whole ledger, for a program that we did not write to check."""

import csv
import io
import json
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from beancount import loader
from sqlalchemy.exc import OperationalError

from app import exporting
from app.core import clock
from app.core.config import Settings
from tests.bank import customer, execute, rows, staff, walk_in
from tests.client import ApiClient, running
from tests.server import bank, environment

EARLIER = (clock.now().date() - timedelta(days=20)).isoformat()
HOSTILE = 'he said "=1+1" \\ \\" {x} #tag ^link ; * 2026-01-01 open'


@pytest.fixture
def client(settings: Settings) -> Iterator[ApiClient]:
    """A bank with accounts in three currencies, payments, a refund, a back-dated deposit and an overdraft."""
    with running(settings) as client:
        ada, bob = customer(client, money=100_000), customer(client, "bob", money=5)
        for amount in (1, 99, 12_345):
            ada.pay(bob, amount, description=HOSTILE, external_id="=cmd")
        paid = ada.pay(bob, 700).json()
        teller = staff(client)
        teller.post(f"/v1/transfers/{paid['id']}/reverse", headers={"Idempotency-Key": "r"})
        for currency in ("JPY", "KWD"):
            walk_in(teller, money=123_456, currency=currency)
        walk_in(teller).fund("deposit", 77, value_date=EARLIER)
        yield client


def export(settings: Settings, format_: str, folder: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    return bank("export", "--format", format_, *more, env=environment(settings.database_url), cwd=folder)


def text_of(client: ApiClient, format_: str) -> str:
    written: list[str] = []
    zone = client.app.state.bank.settings.bank_timezone
    run = exporting.Export(exporting.FORMATS[format_], zone, written.append, lambda _: None, lambda _: None)
    client.db.run_read(run)
    return "".join(written)


def problems(text: str) -> list[str]:
    """What Beancount objects to."""
    _, errors, _ = loader.load_string(text)
    return [error.message for error in errors]


def test_beancount_finds_nothing_wrong_with_our_books(client: ApiClient) -> None:
    text = text_of(client, "beancount")
    assert problems(text) == []
    entries, _, _ = loader.load_string(text)
    told = [one for one in entries if type(one).__name__ == "Transaction"]
    assert len(told) == len(rows(client.db, "SELECT 1 FROM transfers"))
    assert sum(type(one).__name__ == "Balance" for one in entries) == len(
        rows(client.db, "SELECT 1 FROM accounts")
    )
    assert HOSTILE in {one.narration for one in told}


@pytest.mark.parametrize("wrong", ["balance = balance + 1", "balance = balance - 1"])
def test_beancount_sees_a_balance_that_is_off_by_the_smallest_unit(client: ApiClient, wrong: str) -> None:
    execute(client.db, f"UPDATE accounts SET {wrong} WHERE kind = 'checking' AND balance > 1000")
    found = problems(text_of(client, "beancount"))
    assert len(found) == 2
    assert all(one.startswith("Balance failed for 'Liabilities:Checking:N") for one in found)
    assert all("0.01 too" in one for one in found)


def test_each_line_is_a_record_and_the_records_add_up(client: ApiClient) -> None:
    records = [json.loads(line) for line in text_of(client, "jsonl").splitlines()]
    accounts = {one["id"]: one for one in records if one["record"] == "account"}
    sums = dict.fromkeys(accounts, 0)
    sequences = dict.fromkeys(accounts, 0)
    for one in records:
        if one["record"] == "transfer":
            for side, sign in (("source", -1), ("destination", 1)):
                account = one[f"{side}_id"]
                sums[account] += sign * one["amount"]
                sequences[account] += 1
                assert accounts[account]["currency"] == one["currency"]
                assert (one[f"{side}_balance"], one[f"{side}_sequence"]) == (
                    sums[account],
                    sequences[account],
                )
    assert sums == {account: one["balance"] for account, one in accounts.items()}
    assert len(accounts) == len(rows(client.db, "SELECT 1 FROM accounts"))
    assert sum(one.get("reverses_id") is not None for one in records) == 1


def test_csv_has_a_line_a_transfer_and_no_formulas(client: ApiClient) -> None:
    read = list(csv.DictReader(io.StringIO(text_of(client, "csv"), newline=""), strict=True))
    assert len(read) == len(rows(client.db, "SELECT 1 FROM transfers"))
    assert {one["external_id"] for one in read} == {"", "'=cmd"}
    assert sum(int(one["amount"]) for one in read if one["type"] == "transfer") == 1 + 99 + 12_345 + 700
    assert [one["amount"] for one in read if one["value_date"] == EARLIER] == ["77"]


@pytest.mark.parametrize("format_", exporting.FORMATS)
def test_the_command_writes_to_a_file_or_to_standard_output(
    client: ApiClient, settings: Settings, tmp_path: Path, format_: str
) -> None:
    wanted = text_of(client, format_)
    printed = export(settings, format_, tmp_path)
    assert (printed.returncode, printed.stdout) == (0, wanted.replace("\r\n", "\n")), printed.stderr
    written = export(settings, format_, tmp_path, "--output", "journal")
    assert (written.returncode, written.stdout) == (0, ""), written.stderr
    assert (tmp_path / "journal").read_bytes().decode() == wanted
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["journal"]


def test_an_empty_bank_has_an_empty_journal(settings: Settings, tmp_path: Path) -> None:
    assert export(settings, "jsonl", tmp_path).stdout == ""
    assert export(settings, "csv", tmp_path).stdout.count("\n") == 1
    assert problems(export(settings, "beancount", tmp_path).stdout or "") == []


def test_a_connection_that_is_lost_in_the_middle_is_told_and_nothing_is_written_twice(
    client: ApiClient,
) -> None:
    written: list[str] = []
    zone = client.app.state.bank.settings.bank_timezone

    def lose(text: str) -> None:
        written.append(text)
        if len(written) == 3:
            raise OperationalError("", {}, Exception(), connection_invalidated=True)

    run = exporting.Export(exporting.as_jsonl, zone, lose, lambda _: None, lambda _: None)
    with pytest.raises(exporting.Interrupted):
        client.db.run_read(run)
    assert len(written) == 3
