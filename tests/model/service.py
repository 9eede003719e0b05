"""The service, asked and answering in the words of the model.

A feature joins with the route, body and id of its request, in `_as_http`.
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
from sqlalchemy import text

from app.core import clock, errors
from app.core.caller import Role
from app.services import integrity
from tests.bank import TRANSACTIONS, TRANSFERS, keyed, rows, staff
from tests.client import ApiClient, Person
from tests.model import words
from tests.model.proof import Outage
from tests.model.words import (
    Answer,
    Bulk,
    Capture,
    Close,
    Fund,
    Increment,
    Item,
    Open,
    Pay,
    Request,
    Reserve,
    Reverse,
    Void,
)

ACCOUNTS = "/v1/accounts"


def _refuse_outage(answer: httpx.Response) -> None:
    if answer.status_code == 503:
        raise Outage(
            f"503 {answer.json()['error']['code']}: {answer.request.method} {answer.request.url.path}"
        )


@contextmanager
def _in_time() -> Iterator[None]:
    try:
        yield
    except (TimeoutError, errors.Unavailable) as error:
        raise Outage(repr(error)) from error


class Service:
    """A running bank with the model's people in it; `_ids` and `_names` translate.

    Raises Outage where it does not do in time what it is asked.
    """

    @_in_time()
    def __init__(self, client: ApiClient, people: dict[str, words.Person]) -> None:
        self._db = client.db
        client.event_hooks = {"response": [_refuse_outage]}
        self._logins = {name: _log_in(client, name, one) for name, one in people.items() if one.role}
        self._ids: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._numbers: dict[str, str] = {}
        self._firsts: dict[tuple[str, str], str] = {}
        self._asked = 0
        for name, one in people.items():
            if one.is_holder:
                by = self._logins.get(name, self._logins["teller"])
                self._bind(name, _holder(by, name))

    def _bind(self, name: str, id_: str) -> None:
        assert id_ not in self._names, f"{name} has the id of {self._names[id_]}"
        self._ids[name], self._names[id_] = id_, name

    def _id(self, name: str | None) -> str | None:
        """What has no id is sent as it is called."""
        return None if name is None else self._ids.get(name, name)

    @_in_time()
    def ask(self, who: str, request: Request, key: str | None, made: Sequence[str]) -> Answer:
        """Sends it; what comes of it will be called `made`. A replay is the first answer, to the letter."""
        path, body, id_field = self._as_http(request)
        headers = keyed(key) if key is not None else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        answer = self._logins[who].post(path, content=self._spell(body), headers=headers)
        replayed = answer.headers.get("Idempotent-Replayed") == "true"
        if answer.is_success and not replayed:
            self._remember(request, made, _ids_in(answer.json(), id_field))
            if isinstance(request, Open):
                self._numbers.update({name: answer.json()["number"] for name in made})
            if key is not None:
                self._firsts[who, key] = answer.text
            if isinstance(request, Bulk):
                self._keep_items(who, request, answer.json()["results"])
        if replayed:
            assert key is not None
            assert answer.text == self._as_replayed(request, self._firsts[who, key])
        return self._understood(answer, replayed=replayed)

    def _remember(self, request: Request, made: Sequence[str], ids: Sequence[str]) -> None:
        for name, id_ in zip(made, ids, strict=False):
            # A transfer of a bulk may have been made before, with its own key.
            if not (isinstance(request, Bulk) and name in self._ids):
                self._bind(name, id_)

    def _keep_items(self, who: str, bulk: Bulk, results: Sequence[dict[str, Any]]) -> None:
        """Alone, with the item's key, the answer is the transfer that the bulk told of."""
        for item, result in zip(bulk.items, results, strict=True):
            if item.key is not None and "transfer" in result:
                text = json.dumps(result["transfer"], ensure_ascii=False, separators=(",", ":"))
                self._firsts.setdefault((who, item.key), text)

    def _as_http(self, request: Request) -> tuple[str, dict[str, Any] | None, str | None]:
        """Path, body, and the field of the answer that has the id of what was made."""
        match request:
            case Open(currency, holder):
                body = {"type": "checking", "currency": currency, "account_holder_id": self._id(holder)}
                return ACCOUNTS, body, "id"
            case Close(account):
                return f"{ACCOUNTS}/{self._id(account)}/close", None, None
            case Fund(account, kind, amount, currency):
                body = {"account_id": self._id(account), "type": kind, "amount": amount, "currency": currency}
                return TRANSACTIONS, body, "transfer_id"
            case Pay() | Bulk():
                return (*self._paying(request), "id")
            case Reverse(transfer):
                return f"{TRANSFERS}/{self._id(transfer)}/reverse", None, "id"
            case _:
                # What a capture makes is named when the books are read.
                return (*self._act_as_http(request), None)

    def _act_as_http(self, request: Capture | Increment | Void) -> tuple[str, dict[str, Any] | None]:
        path = f"{TRANSFERS}/{self._id(request.hold)}/{type(request).__name__.lower()}"
        match request:
            case Capture(_, amount, final):
                return path, {"amount": amount, "final": final}
            case Increment(_, amount):
                return path, {"amount": amount}
        return path, None

    def _as_replayed(self, request: Request, first: str) -> str:
        """The first answer, as it is told again."""
        return first

    def _paying(self, request: Pay | Bulk) -> tuple[str, dict[str, Any]]:
        if isinstance(request, Pay):
            return TRANSFERS, self._payment(request)
        body = {"atomic": request.atomic, "transfers": [*map(self._item, request.items)]}
        return f"{TRANSFERS}/bulk", body

    def _payment(self, pay: Pay) -> dict[str, Any]:
        names = self._ids if pay.by == "id" else self._numbers
        body = {
            "source_account_id": self._id(pay.source),
            f"destination_account_{pay.by}": names.get(pay.destination, pay.destination),
            "amount": pay.amount,
            "currency": pay.currency,
        }
        is_hold = isinstance(pay, Reserve)
        return body | ({"pending": True, "expires_at": pay.expires_at} if is_hold else {})

    def _item(self, item: Item) -> dict[str, Any]:
        return self._payment(item.pay) | {"idempotency_key": item.key}

    def _spell(self, body: dict[str, Any] | None) -> str | None:
        """Every other time with null left out, in another order and spacing: that is the same request."""
        self._asked += 1
        if body is None or self._asked % 2:
            return body and json.dumps(body)
        return json.dumps(_without_null(body), sort_keys=True, indent=1)

    def _understood(self, answer: httpx.Response, *, replayed: bool = False) -> Answer:
        body = answer.json()
        if answer.is_success:
            return Answer(answer.status_code, told=self._told(body), replayed=replayed)
        return Answer(answer.status_code, body["error"]["code"], _place(body["error"]))

    def _told(self, value: Any) -> Any:
        """With names instead of ids, and refusals within in the words of the model."""
        match value:
            case {"error": {"code": code}, **others}:
                return others | {"code": code, "at": _place(value["error"])}
            case dict():
                return {name: self._told(one) for name, one in value.items()}
            case list():
                return [self._told(one) for one in value]
        return self._name(value)

    def _name(self, value: Any) -> Any:
        return self._names.get(value, value) if isinstance(value, str) else value

    @_in_time()
    def look_at_account(self, who: str, name: str) -> Answer:
        return self._understood(self._logins[who].get(f"{ACCOUNTS}/{self._id(name)}"))

    @_in_time()
    def look_at_transfer(self, who: str, name: str) -> Answer:
        return self._understood(self._logins[who].get(f"{TRANSFERS}/{self._id(name)}"))

    @_in_time()
    def set(self, account: str, **values: Any) -> None:
        """Changes columns of an account, past the service."""
        columns = ", ".join(f"{name} = :{name}" for name in values)
        statement = text(f"UPDATE accounts SET {columns} WHERE id = :at")
        self._db.run_write(
            lambda session: session.execute(statement, values | {"at": self._id(account)}) and None
        )

    @_in_time()
    def findings(self) -> list[Any]:
        """What breaks a rule of the books: "always true", checked in one snapshot."""
        return self._db.run_read(integrity.verify).findings

    @_in_time()
    def books(self) -> dict[str, Any]:
        """Everything that has been committed: accounts, movements, lines, and how many keys."""
        # A hold whose time is over counts nowhere, whether a batch has ended it yet or not.
        now, due = clock.to_micros(clock.now()), "t.status = 'pending' AND t.expires_at <= :now"
        accounts = rows(
            self._db,
            "SELECT a.id, a.kind, a.currency, a.status, balance, held - coalesce((SELECT sum(remaining) "
            f"FROM transfers t WHERE source_key = a.key AND {due}), 0), overdraft_limit, unarranged "
            "FROM accounts a ORDER BY key",
            now=now,
        )
        for id_, kind, currency, *_ in accounts:
            if id_ not in self._names and kind not in ("checking", "savings"):
                self._bind(f"{kind} {currency}", id_)
        movements = rows(
            self._db,
            f"SELECT t.id, t.kind, CASE WHEN {due} THEN 'expired' ELSE t.status END, s.id, d.id, t.amount, "
            f"t.captured, CASE WHEN {due} THEN 0 ELSE t.remaining END, r.id, h.id FROM transfers t "
            "JOIN accounts s ON s.key = t.source_key JOIN accounts d ON d.key = t.destination_key "
            "LEFT JOIN transfers r ON r.key = t.reverses_key LEFT JOIN transfers h ON h.key = t.pending_key "
            "ORDER BY t.key",
            now=now,
        )
        for place, (id_, *_) in enumerate(movements):
            if id_ not in self._names:
                self._bind(f"transfer {place}", id_)
        lines = rows(
            self._db,
            "SELECT a.id, t.id, e.amount, e.balance_after FROM entries e "
            "JOIN accounts a ON a.key = e.account_key JOIN transfers t ON t.key = e.transfer_key "
            "ORDER BY e.account_key, e.sequence",
        )
        named = {
            "accounts": {self._name(id_): tuple(values) for id_, _, _, *values in accounts},
            "movements": [tuple(map(self._name, row)) for row in movements],
            "lines": {},
        }
        for account, *line in lines:
            named["lines"].setdefault(self._name(account), []).append((self._name(line[0]), *line[1:]))
        counted = {"keys": "idempotency_keys", "bulks": "bulk_chunks"}
        return named | {
            name: rows(self._db, f"SELECT count(*) FROM {table}")[0][0] for name, table in counted.items()
        }


def _ids_in(body: dict[str, Any], field: str | None) -> list[str]:
    """The ids of what was made, in order."""
    if field is None:
        return []
    made = [one["transfer"] for one in body["results"] if "transfer" in one] if "results" in body else [body]
    return [one[field] for one in made]


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_null(one) for name, one in value.items() if one is not None}
    return [*map(_without_null, value)] if isinstance(value, list) else value


def _place(error: dict[str, Any]) -> str | None:
    """Where the error is, as far as the model tells it."""
    field = error["details"][0]["field"] if error["details"] else ""
    if error["code"] == "not_found":
        return str(field)
    place = re.match(r"transfers\[\d+\]", field)
    return place[0] if place else None


def _log_in(client: ApiClient, name: str, person: words.Person) -> Person:
    if person.role == words.CUSTOMER:
        return client.sign_up(f"{name}@example.com")
    return staff(client, Role(person.role))


def _holder(by: Person, name: str) -> str:
    profile = {"full_name": f"{name.title()} Example", "date_of_birth": "1990-01-02"}
    made = by.post("/v1/account-holders", json=profile)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])
