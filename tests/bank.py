"""Customers with accounts and money, over HTTP: `ada = customer(client, "ada", money=1000)`."""

import secrets
from dataclasses import dataclass, replace
from typing import Any

import httpx
from sqlalchemy import text

from app.core.caller import Origin, Role
from app.db.unit_of_work import Database
from app.services import integrity
from app.services.auth import create_user
from tests.client import PASSWORD, ApiClient, BankClient, Person

TRANSFERS, TRANSACTIONS = "/v1/transfers", "/v1/transactions"


def keyed(key: str | None = None) -> dict[str, str]:
    """The header with this idempotency key, or with a new one."""
    return {"Idempotency-Key": key or secrets.token_hex(8)}


@dataclass(frozen=True)
class Customer:
    """Somebody who is logged in and has an account."""

    person: Person
    account: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.account["id"])

    @property
    def number(self) -> str:
        return str(self.account["number"])

    def at(self, client: Any) -> "Customer":
        """The same customer, with the same token, calling another server."""
        return replace(self, person=replace(self.person, client=client))

    def post(self, path: str, body: dict[str, Any] | None = None, key: str | None = None) -> httpx.Response:
        return self.person.post(path, json=body, headers=keyed(key))

    def fund(self, type_: str, amount: int, key: str | None = None, **fields: Any) -> httpx.Response:
        """A deposit or a withdrawal."""
        body = {"account_id": self.id, "type": type_, "amount": amount, "currency": "EUR"} | fields
        return self.post(TRANSACTIONS, body, key)

    def deposit(self, amount: int, key: str | None = None) -> httpx.Response:
        return self.fund("deposit", amount, key)

    def pay(self, payee: "Customer", amount: int, key: str | None = None, **fields: Any) -> httpx.Response:
        """A transfer to somebody's account number."""
        return self.post(TRANSFERS, self.payment(payee, amount) | fields, key)

    def payment(self, payee: "Customer", amount: int) -> dict[str, Any]:
        """The body of such a transfer."""
        return {
            "source_account_id": self.id,
            "destination_account_number": payee.number,
            "amount": amount,
            "currency": "EUR",
        }

    def close(self) -> httpx.Response:
        return self.post(f"/v1/accounts/{self.id}/close")

    def balance(self) -> int:
        answer = self.person.get(f"/v1/accounts/{self.id}/balance")
        assert answer.status_code == 200, answer.text
        return int(answer.json()["balance"])


def customer(client: BankClient, name: str = "ada", *, money: int = 0, currency: str = "EUR") -> Customer:
    """A new user and account holder, with a new account."""
    person = client.sign_up(f"{name}@example.com")
    profile = {"full_name": f"{name.title()} Example", "date_of_birth": "1990-01-02"}
    made = person.post("/v1/account-holders", json=profile)
    assert made.status_code == 201, made.text
    return with_account(person, money=money, currency=currency)


def with_account(person: Person, *, money: int = 0, currency: str = "EUR") -> Customer:
    """The holder, with another account of theirs."""
    opened = person.post("/v1/accounts", json={"type": "checking", "currency": currency})
    assert opened.status_code == 201, opened.text
    made = Customer(person, opened.json())
    if money:
        paid_in = made.fund("deposit", money, currency=currency)
        assert paid_in.status_code == 201, paid_in.text
    return made


def staff(client: ApiClient, role: Role = Role.TELLER) -> Person:
    """A member of staff, logged in."""
    email = f"{role}.{secrets.token_hex(4)}@bank.example.com"
    client.db.run_write(
        create_user,
        email=email,
        password_hash=client.app.state.bank.hasher.hash_now(PASSWORD),
        role=role,
        origin=Origin(None, None),
    )
    return client.log_in(email)


def count(db: Database, table: str, where: str = "1 = 1") -> int:
    """How many rows have been committed."""
    query = text(f"SELECT count(*) FROM {table} WHERE {where}")
    return db.run_read(lambda session: session.scalar(query)) or 0


def issue_statement(client: ApiClient, account: Customer, month: str = "2026-01") -> httpx.Response:
    """Issues a statement of an account, which is made older than its month."""
    put(client.db, account, created_at=1)
    return account.person.post(f"/v1/statements/{account.id}/issue", json={"month": month})


def assert_right(db: Database) -> None:
    """`bank verify` finds nothing."""
    assert db.run_read(integrity.verify).findings == []


def walk_in(teller: Person, *, money: int = 0, currency: str = "EUR") -> Customer:
    """An account of somebody without a login here; the teller acts for them."""
    profile = {"full_name": "Wanda Walkin", "date_of_birth": "1980-05-06"}
    holder = teller.post("/v1/account-holders", json=profile)
    assert holder.status_code == 201, holder.text
    wanted = {"type": "savings", "currency": currency, "account_holder_id": holder.json()["id"]}
    opened = teller.post("/v1/accounts", json=wanted)
    assert opened.status_code == 201, opened.text
    made = Customer(teller, opened.json())
    if money:
        assert made.fund("deposit", money, currency=currency).status_code == 201
    return made


def rows(db: Database, query: str, **values: Any) -> list[tuple[Any, ...]]:
    """What has been committed."""
    return db.run_read(lambda session: [tuple(row) for row in session.execute(text(query), values)])


def execute(db: Database, statement: str, **values: Any) -> None:
    """Changes something past the service."""
    db.run_write(lambda session: session.execute(text(statement), values) and None)


def put(db: Database, account: Customer, **values: Any) -> None:
    """Changes columns of an account, past the service."""
    columns = ", ".join(f"{name} = :{name}" for name in values)
    statement = text(f"UPDATE accounts SET {columns} WHERE id = :at")
    db.run_write(lambda session: session.execute(statement, values | {"at": account.id}) and None)
