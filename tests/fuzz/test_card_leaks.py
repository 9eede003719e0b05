"""The numbers of cards that were issued and used are nowhere but in the answers that issued them.

A real server logs at DEBUG. Each number is also sent back to where a client should not put it, in every
spelling, and cards are issued while their tables refuse every row. Then log, database with its WAL,
answers and refusals are searched.
"""

import re
from typing import Any

from sqlalchemy import text

from app.core.config import Settings
from app.db.unit_of_work import Database
from tests.bank import Customer, customer, keyed, with_account
from tests.cards import CARDS, act, approved, authorize, declined, on, refund
from tests.fuzz.leaks import breaking, disguises, leaked, stored
from tests.fuzz.remote import Remote
from tests.record import record

ACCOUNTS, OF_EACH = 10, 10
# Sixteen digits of the issuer of the tests, with or without what people write between them.
_NUMBERS = re.compile(rb"9999(?:[ +-]|%20)?99[0-9]{2}(?:[ +-]|%20)?[0-9]{4}(?:[ +-]|%20)?[0-9]{4}")


def numbers_in(content: bytes) -> set[str]:
    return {re.sub(rb"%20|[^0-9]", b"", found).decode() for found in _NUMBERS.findall(content)}


class Issuer:
    """Issues cards and uses them; what told a number is kept out of the answers that are searched."""

    def __init__(self, remote: Remote) -> None:
        self.remote = remote
        self.numbers: set[str] = set()

    def issue(self, of: Customer, path: str = CARDS, body: dict[str, Any] | None = None) -> dict[str, Any]:
        key = keyed()
        made = of.person.post(path, json=body, headers=key)
        assert made.status_code == 201, made.text
        self.remote.answers.pop()
        again = of.person.post(path, json=body, headers=key)
        assert again.headers["Idempotent-Replayed"] == "true"
        card: dict[str, Any] = made.json()
        self.numbers.add(card["number"])
        return card

    def use(self, of: Customer, card: dict[str, Any]) -> None:
        for action in ("freeze", "unfreeze"):
            assert act(of, card, action).status_code == 200
        made = approved(of, card, 3)
        assert on(of, made, "capture", amount=3).status_code == 200
        assert refund(of, made, 1).status_code == 201
        declined(authorize(of, card, 10**9), "insufficient_funds")
        limited = of.person.patch(f"{CARDS}/{card['id']}/limits", json={"limits": {"per_day": 5}})
        assert limited.status_code == 200
        self.issue(of, f"{CARDS}/{card['id']}/replace", {"reason": "stolen"})
        assert of.person.get(CARDS, params={"account_id": of.id}).status_code == 200


def send_back(of: Customer, number: str) -> list[int]:
    """The number where it does not belong: in paths, queries, fields, headers and broken bodies."""
    dashed = "-".join(number[place : place + 4] for place in range(0, 16, 4))
    person, statuses = of.person, []
    for one in (number, dashed, dashed.replace("-", " ")):
        body = {"account_id": of.id, "type": "virtual"}
        answers = [
            person.get(f"{CARDS}/{one}"),
            person.get(CARDS, params={"account_id": one}),
            person.get(CARDS, params={"number": one}),
            person.get(CARDS, params={"cursor": one}),
            person.post(f"{CARDS}/{one}/freeze", headers=keyed()),
            person.post(CARDS, json=body | {"number": one}),
            person.post(CARDS, json=body | {"type": one}),
            person.post(CARDS, json={"account_id": one, "type": "virtual"}),
            person.post(CARDS, content=f'{{"number": "{one}"', headers={"Content-Type": "application/json"}),
            person.get(CARDS, headers={"If-Match": one, "Referer": one}),
            person.client.get(CARDS, headers={"Authorization": f"Bearer {one}"}),
        ]
        statuses += [answer.status_code for answer in answers]
    return statuses


def fail_while_issuing(of: Customer, db: Database, settings: Settings) -> None:
    """Every row of a table is refused: the number of this moment is nobody's, and must not be told."""
    for table in ("cards", "audit_log", "idempotency_keys"):
        breaks, mends = breaking(settings, table)
        _run(db, breaks)
        failed = of.post(CARDS, {"account_id": of.id, "type": "virtual"})
        assert failed.status_code == 500, table
        _run(db, mends)


def _run(db: Database, statements: list[str]) -> None:
    for statement in statements:
        db.run_write(lambda session, sql=statement: session.execute(text(sql)) and None)


def test_the_number_of_no_card_is_anywhere_but_in_its_first_answer(
    remote: Remote, settings: Settings, capsys: Any
) -> None:
    ada, issuer = customer(remote), Issuer(remote)
    statuses: list[int] = []
    for _ in range(ACCOUNTS):
        account = with_account(ada.person, money=1000)
        for _ in range(OF_EACH):
            card = issuer.issue(account, body={"account_id": account.id, "type": "virtual"})
            issuer.use(account, card)
        statuses += send_back(account, card["number"])
    fail_while_issuing(account, remote.db, settings)
    assert {200, 400, 401, 404, 422} == set(statuses)

    log, database = remote.server.log_file.read_bytes(), stored(settings, remote.db)
    answers, refusals = b"\n".join(remote.answers), b"\n".join(remote.refusals)
    assert b"unexpected error" in log
    assert b'"DEBUG"' in log
    assert len(issuer.numbers) == 2 * ACCOUNTS * OF_EACH
    everywhere = {"log": log, "database": database, "answers": answers, "refusals": refusals}
    found = {(where, one) for where, content in everywhere.items() for one in numbers_in(content)}
    # All begin alike, so their other clothes do as well; what is between may be anybody's.
    clothes = {form for form in disguises("999999") if not form.isdigit()}
    found |= {(where, form) for where, content in everywhere.items() for form in clothes if form in content}
    last = sorted(issuer.numbers)[-20:]
    found |= {(where, one) for where, content in everywhere.items() for one in leaked(set(last), content)}
    assert found == set()
    searched = sum(len(content) for content in everywhere.values())
    backend, count = settings.url.get_backend_name(), len(issuer.numbers)
    record("leaks", secrets=count, bytes_searched=searched, leaked=len(found), database=backend)
    with capsys.disabled():
        print(f"\n{backend}: {count} card numbers looked for in {searched:,} bytes")


def test_the_search_sees_a_number_however_it_is_written() -> None:
    number = "9999991234567890"
    for form in (number, "9999-9912-3456-7890", "9999 9912 3456 7890", "9999%209912%203456%207890"):
        assert numbers_in(f"<{form}>".encode()) == {number}
    assert numbers_in(b"9999-12-31T23:59:59.999999Z 1234567890") == set()
