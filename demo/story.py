"""Two people, two accounts, and what may and may not happen to their money."""

import secrets
from dataclasses import dataclass
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from demo.server import Server, running_server

console = Console()
_EURO_CENTS = 100


@dataclass
class Person:
    """A customer of the bank, as a program that acts for them."""

    name: str
    http: httpx.Client
    account: dict[str, Any]

    def post(self, path: str, body: dict[str, Any], key: str | None = None) -> httpx.Response:
        """Each movement of money has a key; the same key again never moves it twice."""
        return self.http.post(path, json=body, headers={"Idempotency-Key": key or secrets.token_hex(8)})

    def balance(self) -> int:
        path = f"/v1/accounts/{self.account['id']}/balance"
        balance: int = self.http.get(path).raise_for_status().json()["balance"]
        return balance


def join(server: Server, name: str, born: str) -> Person:
    """Signs up, logs in, becomes an account holder and opens an account in euro."""
    login = {
        "email": f"{name.split(maxsplit=1)[0].lower()}.{secrets.token_hex(3)}@example.com",
        "password": secrets.token_urlsafe(12),
    }
    http = httpx.Client(base_url=server.url)
    http.post("/v1/auth/signup", json=login).raise_for_status()
    tokens = http.post("/v1/auth/login", json=login).raise_for_status().json()
    http.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    profile = {"full_name": name, "date_of_birth": born}
    http.post("/v1/account-holders", json=profile).raise_for_status()
    wanted = {"type": "checking", "currency": "EUR"}
    account = http.post("/v1/accounts", json=wanted).raise_for_status().json()
    console.print(f"[bold]{name}[/] joins and opens account [cyan]{account['number']}[/]")
    return Person(name, http, account)


def deposit(person: Person, amount: int) -> None:
    """Cash over the counter."""
    body = {
        "account_id": person.account["id"],
        "type": "deposit",
        "amount": amount,
        "currency": "EUR",
        "description": "Cash",
    }
    person.post("/v1/transactions", body).raise_for_status()
    console.print(f"{person.name} is paid {euro(amount)}")


def payment(payer: Person, payee: Person, amount: int, text: str) -> dict[str, Any]:
    """A transfer to somebody's account number."""
    return {
        "source_account_id": payer.account["id"],
        "destination_account_number": payee.account["number"],
        "amount": amount,
        "currency": "EUR",
        "description": text,
    }


def euro(cents: int) -> str:
    return f"{cents // _EURO_CENTS}.{cents % _EURO_CENTS:02} EUR"


def expect(response: httpx.Response, status: int) -> dict[str, Any]:
    """The body of an answer that must have this status."""
    if response.status_code != status:
        raise SystemExit(f"expected {status}, got {response.status_code}: {response.text}")
    body: dict[str, Any] = response.json()
    return body


def tell(server: Server) -> None:
    """The story, from nothing to books that are right."""
    console.rule("Two people and their money")
    ada, grace = join(server, "Ada Lovelace", "1990-12-10"), join(server, "Grace Hopper", "1986-12-09")
    deposit(ada, 100_00)

    rent = payment(ada, grace, 40_00, "Rent")
    key = secrets.token_hex(8)
    first = expect(ada.post("/v1/transfers", rent, key), 201)
    console.print(f"Ada pays Grace {euro(40_00)} and her line drops: did it go through?")
    again = ada.post("/v1/transfers", rent, key)
    assert expect(again, 201) == first
    assert again.headers["Idempotent-Replayed"] == "true"
    console.print("She sends it again with the same key: [green]the first answer, paid once[/]")

    expect(grace.post("/v1/transfers", payment(grace, ada, 15_50, "Books")), 201)
    console.print(f"Grace pays {euro(15_50)} back for books")

    refused = expect(ada.post("/v1/transfers", payment(ada, grace, 500_00, "A piano")), 409)
    console.print(f"Ada wants a piano for {euro(500_00)}: [red]{refused['error']['code']}[/]")

    reserve_a_table(ada, grace)
    pay_by_card(ada)
    show_statement(ada)
    assert (ada.balance(), grace.balance()) == (64_00, 32_50), "the balances are not what they must be"
    console.print(f"[green]{server.bank('verify')}[/]")
    for person in (ada, grace):
        person.http.close()


def reserve_a_table(guest: Person, host: Person) -> None:
    """Money that is promised: reserved, captured in part, and the rest let go."""
    wanted = payment(guest, host, 20_00, "A table for two") | {"pending": True}
    held = expect(guest.post("/v1/transfers", wanted), 201)
    path = f"/v1/transfers/{held['id']}"
    console.print(f"{guest.name} reserves {euro(20_00)} for {host.name}: {left(held)}")
    expect(host.post(f"{path}/capture", {}), 403)
    console.print(f"{host.name} cannot take it herself: [red]forbidden[/]")
    expect(guest.post(f"{path}/capture", {"amount": 8_00}), 200)
    console.print(f"Dinner is {euro(8_00)}: captured, the rest stays reserved")
    freed = expect(guest.post(f"{path}/void", {}), 200)
    console.print(f"Nobody comes for dessert, so the rest is let go: {left(freed)}")


def left(told: dict[str, Any]) -> str:
    """What can be spent after it."""
    return f"[cyan]{euro(told['source_balances']['available'])}[/] are left to spend"


def pay_by_card(person: Person) -> None:
    """A card that is asked, stopped and captured; its owner plays the network, as they may in a demo."""
    wanted = {"account_id": person.account["id"], "type": "virtual"}
    card = expect(person.post("/v1/cards", wanted), 201)
    console.print(f"{person.name} takes a card; its number ends in {card['last4']} and was told once")
    path = f"/v1/cards/{card['id']}"
    coffee = expect(person.post(f"{path}/authorizations", asked(4_50, "Coffee House", "5814")), 201)
    console.print(f"Coffee for {euro(4_50)}: [green]{coffee['status']}[/], and reserved at once")
    piano = expect(person.post(f"{path}/authorizations", asked(500_00, "Piano Shop", "5733")), 201)
    console.print(f"A piano for {euro(500_00)}: [red]{piano['status']}, {piano['decline_reason']}[/]")
    expect(person.post(f"{path}/freeze", {}), 200)
    stopped = expect(person.post(f"{path}/authorizations", asked(1_00, "Kiosk", "5994")), 201)
    console.print(f"She freezes the card; a kiosk asks: [red]{stopped['decline_reason']}[/]")
    expect(person.post(f"/v1/authorizations/{coffee['id']}/capture", {"amount": 4_50}), 200)
    expect(person.post(f"{path}/refunds", {"authorization_id": coffee["id"], "amount": 1_00}), 201)
    console.print(f"The coffee is captured all the same, and {euro(1_00)} of it given back")


def asked(amount: int, name: str, mcc: str) -> dict[str, Any]:
    """What a merchant asks a card for."""
    merchant = {"name": name, "mcc": mcc, "country": "AT"}
    return {"amount": amount, "currency": "EUR", "merchant": merchant, "online": False}


def show_statement(person: Person) -> None:
    """The posted entries of the person's account, newest first."""
    table = Table("Booked", "Text", "With", "Amount", "Balance", title=f"{person.name}'s account")
    path = f"/v1/accounts/{person.account['id']}/transactions"
    for line in expect(person.http.get(path), 200)["data"]:
        sign = "-" if line["amount"] < 0 else ""
        table.add_row(
            line["booked_at"][:19],
            line["description"],
            line["counterparty"]["name"],
            f"{sign}{euro(abs(line['amount']))}",
            euro(line["balance_after"]),
        )
    console.print(table)


if __name__ == "__main__":
    with running_server() as service:
        tell(service)
