"""Clients that keep a key until they have an answer, and the comparison of the bank with their logs."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from app.db.unit_of_work import Database
from app.ledger.commands import authorization_of, hold_of
from app.services import integrity
from tests.bank import TRANSACTIONS, TRANSFERS, Customer, customer, rows
from tests.cards import AUTHORIZATIONS, CARDS, asked, issue
from tests.client import BankClient, error_of

THREADS = 6
_NAMES = ("ada", "bob", "cleo", "dan", "eve")
_START = 500
_PATIENCE = 60
_REPLAYED = "Idempotent-Replayed"


@dataclass(eq=False)
class Act:
    """One wish of a client under one key, and the answer that settled it."""

    caller: int
    path: str
    body: dict[str, Any]
    key: str
    # By whom which balance changes, once it is done.
    effect: dict[int, int]
    answer: httpx.Response | None = None
    # The hold that this is done to.
    hold: "Act | None" = None
    # Who pays and who is paid, of a hold.
    sides: tuple[int, int] | None = None

    @property
    def done(self) -> bool:
        return self.answer is not None and self.answer.is_success

    @property
    def asks_card(self) -> bool:
        return self.path.endswith("/authorizations")

    @property
    def reserves(self) -> bool:
        if self.asks_card:
            return self.answer is not None and self.answer.json()["status"] == "approved"
        return "pending" in self.body

    @property
    def transfer_id(self) -> str:
        assert self.answer is not None
        made = self.answer.json()
        if self.asks_card:
            return hold_of(made["id"])
        return str(made["id"] if self.path == TRANSFERS else made["transfer_id"])


@dataclass
class Findings:
    """What the bank has of what the clients were told; all but the first two should be 0."""

    acknowledged: int = 0
    postings: int = 0
    lost: int = 0
    doubled: int = 0
    differences: int = 0

    @property
    def faults(self) -> int:
        return self.lost + self.doubled + self.differences


@dataclass
class Clients:
    """Five customers and what they have asked for, all of it."""

    people: list[Customer]
    # A card of each.
    cards: list[dict[str, Any]] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    done: list[Act] = field(default_factory=list)
    # Requests with a known answer that were sent again, and lost answers that were asked for again.
    replays: int = 0
    found_done: int = 0
    # Replays that said something else than the first answer.
    differing: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def work(self, origin: str, seed: int, trouble: Callable[[], None]) -> None:
        """Sends without a pause from six threads while `trouble` runs, until each has met it.

        A request without an answer stays open for `settle`.
        """
        until = time.monotonic() + _PATIENCE
        dice = random.Random(seed)
        starts = [random.Random(dice.random()) for _ in range(THREADS)]

        def send(dice: random.Random) -> None:
            with _client(origin) as client:
                while self._send(client, self._choose(dice)):
                    assert time.monotonic() < until, "nothing has happened"

        with ThreadPoolExecutor(THREADS) as pool:
            sent = [pool.submit(send, dice) for dice in starts]
            trouble()
            for one in sent:
                one.result()

    def work_patiently(self, origin: str, seed: int, enough: Callable[[], bool]) -> None:
        """Sends until it is enough; a request whose answer did not come is sent again at once."""
        dice = random.Random(seed)
        starts = [random.Random(dice.random()) for _ in range(THREADS)]

        def send(dice: random.Random) -> None:
            with _client(origin) as client:
                while not enough():
                    self._insist(client, self._choose(dice))

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(send, starts))

    def settle(self, origin: str) -> int:
        """Sends what is open with the keys it had, until it is answered; how much had been done already."""
        before = self.found_done

        def send(act: Act) -> None:
            with _client(origin) as client:
                self._insist(client, act)

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(send, [act for act in self.acts if act.answer is None]))
        return self.found_done - before

    def _choose(self, dice: random.Random) -> Act:
        if self.done and dice.random() < 0.15:
            return dice.choice(self.done)
        payer, payee = dice.sample(range(len(self.people)), 2)
        amount, key = dice.randint(1, _START // 2), dice.randbytes(8).hex()
        kind = dice.choice(
            ("transfer", "transfer", "transfer", "hold", "card", "act", "deposit", "withdrawal")
        )
        holds = [act for act in self.done if act.reserves]
        if kind == "act" and holds:
            act = _act_on(dice.choice(holds), dice, key)
            self.acts.append(act)
            return act
        if kind == "card":
            # The merchant's name is the description of what is reserved: so the record tells whose it is.
            path, body = f"{CARDS}/{self.cards[payer]['id']}/authorizations", asked(amount, name=key)
            act = Act(payer, path, body, key, {}, sides=(payer, payee))
            self.acts.append(act)
            return act
        if kind in ("transfer", "hold", "act"):
            body = self.people[payer].payment(self.people[payee], amount)
            is_hold = kind == "hold"
            body |= {"pending": True} if is_hold else {}
            effect = {} if is_hold else {payer: -amount, payee: amount}
            act = Act(payer, TRANSFERS, body, key, effect, sides=(payer, payee))
        else:
            account = self.people[payer].id
            body = {"account_id": account, "type": kind, "amount": amount, "currency": "EUR"}
            act = Act(payer, TRANSACTIONS, body, key, {payer: amount if kind == "deposit" else -amount})
        # So that the record tells whose it is.
        body["description"] = key
        self.acts.append(act)
        return act

    def _insist(self, client: httpx.Client, act: Act) -> None:
        until = time.monotonic() + _PATIENCE
        while not self._send(client, act):
            assert time.monotonic() < until, "no answer"
            time.sleep(0.01)

    def _send(self, client: httpx.Client, act: Act) -> bool:
        """Whether there was an answer. Nothing but money moved, a refusal or a known outage may come."""
        try:
            answer = self.people[act.caller].at(client).post(act.path, act.body, act.key)
        except httpx.TransportError:
            return False
        if answer.status_code == 503:
            error_of(answer, 503, "database_unavailable")
            return False
        if not answer.is_success:
            _assert_refusal(act, answer)
        self._take(act, answer)
        return True

    def _take(self, act: Act, answer: httpx.Response) -> None:
        replayed = answer.headers.get(_REPLAYED) == "true"
        with self._lock:
            if act.answer is not None:
                self.replays += 1
                self.differing += not (replayed and answer.content == act.answer.content)
                return
            act.answer = answer
            self.found_done += replayed
            if act.done:
                self.done.append(act)

    def balances(self) -> list[int]:
        """What the clients' logs add up to."""
        changes = Counter(dict.fromkeys(range(len(self.people)), _START))
        for act in self.done:
            changes.update(act.effect)
        return [changes[number] for number in range(len(self.people))]

    def compare(self, origin: str, db: Database) -> Findings:
        """Holds the bank against the logs: records by the keys, balances, and what `bank verify` says."""
        assert all(act.answer is not None for act in self.acts), "everything is settled"
        found = Findings(
            acknowledged=len(self.done), postings=rows(db, "SELECT count(*) FROM transfers")[0][0]
        )
        # A capture has the description of its hold.
        query = "SELECT description, id FROM transfers WHERE description IS NOT NULL AND pending_key IS NULL"
        self._compare_records(found, rows(db, query))
        query = (
            "SELECT t.id, captured, remaining, (SELECT count(*) FROM hold_events WHERE transfer_key = t.key) "
        )
        self._compare_holds(found, rows(db, query + "FROM transfers t WHERE captured IS NOT NULL"))
        self._compare_answers(found, {id_ for (id_,) in rows(db, "SELECT id FROM authorizations")})
        with _client(origin) as client:
            told = [one.at(client).balance() for one in self.people]
        found.differences += sum(a != b for a, b in zip(told, self.balances(), strict=True))
        found.differences += len(db.run_read(integrity.verify).findings) + self.differing
        return found

    def _compare_records(self, found: Findings, stored: Iterable[tuple[Any, ...]]) -> None:
        by_key: dict[str, list[str]] = {}
        for key, transfer_id in stored:
            by_key.setdefault(key, []).append(transfer_id)
        for act in self.done:
            if act.hold is not None or (act.asks_card and not act.reserves):
                continue
            made = by_key.pop(act.key, [])
            found.lost += act.transfer_id not in made
            found.doubled += len(made) > 1
        # What is there although its client was told that it was refused.
        found.differences += len(by_key)

    def _compare_answers(self, found: Findings, stored: set[str]) -> None:
        """What cards have answered is there, a no as well as a yes, and nothing else is."""
        told = {act.answer.json()["id"] for act in self.done if act.asks_card and act.answer is not None}
        found.lost += len(told - stored)
        found.differences += len(stored - told)

    def _compare_holds(self, found: Findings, stored: Iterable[tuple[Any, ...]]) -> None:
        """Each hold has the acts that its clients were told of, no more and no fewer, and what they leave."""
        acts: dict[str, list[Act]] = {act.transfer_id: [] for act in self.done if act.reserves}
        for act in self.done:
            if act.hold is not None:
                acts[act.hold.transfer_id].append(act)
        for hold_id, captured, remaining, events in stored:
            done = acts.pop(hold_id, [])
            found.lost += max(0, 1 + len(done) - events)
            found.doubled += max(0, events - 1 - len(done))
            moved = sum(act.body.get("amount", 0) for act in done)
            found.differences += captured != moved
            found.differences += remaining != 0 and any(act.path.endswith("/void") for act in done)


def _act_on(hold: Act, dice: random.Random, key: str) -> Act:
    """A capture of a part of a hold, or its end."""
    assert hold.sides is not None
    (payer, payee), amount = hold.sides, dice.randint(1, hold.body["amount"])
    effect = {payer: -amount, payee: amount}
    path = f"{TRANSFERS}/{hold.transfer_id}"
    if hold.asks_card:
        # A merchant is none of the five.
        path, effect = f"{AUTHORIZATIONS}/{authorization_of(hold.transfer_id)}", {payer: -amount}
    if dice.random() < 0.3:
        return Act(payer, f"{path}/void", {}, key, {}, hold=hold)
    return Act(payer, f"{path}/capture", {"amount": amount}, key, effect, hold=hold)


def _assert_refusal(act: Act, answer: httpx.Response) -> None:
    """What has been captured or let go of before cannot be again; else only the money can be missing."""
    if act.hold is not None and answer.status_code == 422:
        error_of(answer, 422, "validation_failed")
    elif act.hold is not None and act.hold.asks_card:
        # A little more than was approved may be captured, if there is the money.
        assert answer.json()["error"]["code"] in ("hold_not_active", "insufficient_funds"), answer.text
    else:
        error_of(answer, 409, "hold_not_active" if act.hold is not None else "insufficient_funds")


def gather(origin: str) -> Clients:
    """Five customers with money, at a new bank."""
    with _client(origin) as client:
        people = [customer(client, name, money=_START) for name in _NAMES]
        return Clients(people, [issue(one) for one in people])


def _client(origin: str) -> BankClient:
    return BankClient(base_url=origin, timeout=_PATIENCE, trust_env=False)
