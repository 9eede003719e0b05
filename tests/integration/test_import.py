"""`bank import`: a file of transfers, posted once, however often it is begun."""

import csv
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from app import imports
from app.core import errors
from app.core.caller import Origin
from app.core.config import Settings
from app.services import auth
from tests.bank import Customer, assert_right, count, customer
from tests.client import ApiClient, running
from tests.server import bank, environment

HOUR = timedelta(hours=1)
HEAD = "source_account_id,destination_account_number,amount,currency,description\n"


@pytest.fixture
def client(settings: Settings) -> Iterator[ApiClient]:
    with running(settings) as api:
        yield api


@pytest.fixture
def ada(client: ApiClient) -> Customer:
    return customer(client, "ada", money=10_000)


@pytest.fixture
def bob(client: ApiClient) -> Customer:
    return customer(client, "bob")


def line(payer: Customer, payee: Customer, amount: int | str, text: str = "") -> str:
    return f"{payer.id},{payee.number},{amount},EUR,{text}\n"


def run(
    settings: Settings, file: Path, *more: str, email: str = "ada@example.com"
) -> "subprocess.CompletedProcess[str]":
    env = environment(settings.database_url)
    return bank("import", str(file), "--as", email, *more, env=env, cwd=file.parent)


def results(file: Path) -> list[tuple[str, str, str]]:
    with file.with_name(f"{file.name}.results.csv").open(newline="") as read:
        return [(row["line"], row["status"], row["error"]) for row in csv.DictReader(read)]


def test_a_file_is_posted_beside_the_service_and_each_line_has_its_result(
    client: ApiClient, settings: Settings, tmp_path: Path, ada: Customer, bob: Customer
) -> None:
    file = tmp_path / "payroll.csv"
    file.write_text(HEAD + line(ada, bob, 100, '"pay, may"') + line(bob, ada, 1) + line(ada, bob, 20_000))
    done = run(settings, file)
    assert (done.returncode, done.stdout.splitlines()[-1][:22]) == (1, "1 posted, 2 refused; e"), done.stderr
    assert results(file) == [
        ("2", "posted", ""),
        ("3", "refused", "not_found"),
        ("4", "refused", "insufficient_funds"),
    ]
    again = run(settings, file)
    assert again.returncode == 1
    assert results(file)[0] == ("2", "posted", "")
    assert (ada.balance(), bob.balance()) == (9_900, 100)
    assert count(client.db, "sessions", "user_agent = 'bank' AND ended_at IS NULL") == 0
    assert_right(client.db)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("colour\nred\n", "The first line names the columns"),
        ("", "The first line names the columns"),
        (HEAD + "acc,123,0,EUR,x\n", "line 2: amount"),
        (HEAD + "acc,123,1.5,EUR,x\n", "line 2: amount: whole minor units"),
        (HEAD + "acc,123,1,EUR,x\nacc,,1,EUR,x\n", "line 3: destination_account_number"),
        (HEAD + "acc,123,1,eur,x\n", "line 2: currency"),
        (HEAD + "acc,123,1\n", "line 2: not as many values as columns"),
        (HEAD + 'acc,123,1,EUR,"x\n', "unexpected end of data"),
    ],
)
def test_of_a_wrong_file_nothing_is_posted(
    client: ApiClient, settings: Settings, tmp_path: Path, ada: Customer, content: str, told: str
) -> None:
    file = tmp_path / "transfers.csv"
    file.write_text(content)
    done = run(settings, file)
    assert done.returncode == 1
    assert "nothing was posted" in done.stderr
    assert told in done.stderr
    assert count(client.db, "bulk_chunks") == 0
    assert not list(tmp_path.glob("*.results.csv"))


def test_another_content_under_the_same_name_is_refused(
    settings: Settings, tmp_path: Path, ada: Customer, bob: Customer
) -> None:
    file = tmp_path / "transfers.csv"
    file.write_text(HEAD + line(ada, bob, 1))
    assert run(settings, file).returncode == 0
    file.write_text(HEAD + line(ada, bob, 1) + line(ada, bob, 2))
    refused = run(settings, file)
    assert refused.returncode == 1
    assert "had another content" in refused.stderr
    assert bob.balance() == 1
    assert run(settings, file, "--name", "june").returncode == 0
    assert bob.balance() == 4


@pytest.mark.parametrize("email", ["nobody@example.com", "nobody"])
def test_who_pays_must_be_known(settings: Settings, tmp_path: Path, ada: Customer, email: str) -> None:
    file = tmp_path / "transfers.csv"
    file.write_text(HEAD + line(ada, ada, 1))
    refused = run(settings, file, email=email)
    assert refused.returncode == 1
    assert ("no active login" if "@" in email else "not an e-mail address") in refused.stderr
    assert ada.balance() == 10_000


def test_a_name_has_an_end(settings: Settings, tmp_path: Path, ada: Customer, bob: Customer) -> None:
    file = tmp_path / "transfers.csv"
    file.write_text(HEAD + line(ada, bob, 1))
    refused = run(settings, file, "--name", "x" * 201)
    assert (refused.returncode, bob.balance()) == (1, 0)
    assert "at most 200 characters" in refused.stderr
    assert run(settings, file, "--name", "x" * 200).returncode == 0


def test_an_interrupted_import_goes_on_behind_the_last_chunk(
    client: ApiClient, settings: Settings, tmp_path: Path, ada: Customer, bob: Customer
) -> None:
    path = tmp_path / "transfers.csv"
    path.write_text(HEAD + line(ada, bob, 1) * 2_500)
    file, ledger = imports.read(path), client.app.state.bank.ledger
    caller = client.db.run_write(
        auth.begin_command,
        email="ada@example.com",
        life=HOUR,
        origin=Origin(None, None),
    )
    left = [1]

    def interrupt(*given: Any) -> None:
        if given[2].startswith("INSERT INTO bulk_chunks"):
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt

    event.listen(client.db.engines.writer, "before_cursor_execute", interrupt)
    with pytest.raises(KeyboardInterrupt):
        list(imports.post(client.db, ledger, caller, file))
    event.remove(client.db.engines.writer, "before_cursor_execute", interrupt)
    assert bob.balance() == 1_000
    done = run(settings, path)
    assert done.returncode == 0, done.stderr
    assert len(results(path)) == 2_500
    assert (ada.balance(), bob.balance()) == (7_500, 2_500)
    assert_right(client.db)


def test_an_import_ends_with_the_session(client: ApiClient, tmp_path: Path, ada: Customer) -> None:
    path = tmp_path / "transfers.csv"
    path.write_text(HEAD + line(ada, ada, 1))
    origin = Origin(None, None)
    caller = client.db.run_write(auth.begin_command, email="ada@example.com", life=HOUR, origin=origin)
    client.db.run_write(auth.log_out, caller=caller)
    with pytest.raises(errors.Unauthenticated):
        list(imports.post(client.db, client.app.state.bank.ledger, caller, imports.read(path)))
