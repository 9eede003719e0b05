"""The rules of the ledger as pure functions: each refuses what it should, and the first one wins."""

import itertools
from typing import Any

import pytest

from app.core.caller import Caller, Origin, Role
from app.core.errors import BankingError, Detail
from app.core.money import MAX_AMOUNT, MAX_BANK_BALANCE
from app.ledger.commands import AnyAccount, BankAccount, Key, OwnAccount, PostTransfer
from app.ledger.rules import Case, judge, judge_reversal, may_use
from app.ledger.states import AccountState
from app.models.accounts import AccountKind
from app.models.transfers import TransferKind
from tests.unit.states import state

ADA = Caller("usr_ada", Role.CUSTOMER, "ses_1", Origin(None, None))
TELLER = Caller("usr_teller", Role.TELLER, "ses_2", Origin(None, None))
SOURCE, DESTINATION = OwnAccount("one", "source"), AnyAccount("two", "destination")
CASH = BankAccount(AccountKind.CASH)
OTHERS = "usr_ben"


def command(**changes: Any) -> PostTransfer:
    values: dict[str, Any] = {
        "caller": ADA,
        "key": Key("k", b""),
        "kind": TransferKind.TRANSFER,
        "source": SOURCE,
        "destination": DESTINATION,
        "amount": 100,
        "currency": "EUR",
    }
    return PostTransfer(**values | changes)


def verdict(
    source: AccountState | None, destination: AccountState | None, /, spent: int = 0, **changes: Any
) -> tuple[str, str | None] | None:
    error = judge(Case(command(**changes), source, destination, spent, 1000))
    return code(error)


def code(error: BankingError | None) -> tuple[str, str | None] | None:
    return error and (error.code, error.details[0].field if error.details else None)


# In the order of the contract: what breaks a rule (of the source, the destination, the rest), and
# what is then told.
BREAKS: list[tuple[tuple[str, str | None], dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (("not_found", "source"), {"owner_id": OTHERS}, {}, {}),
    (("not_found", "destination"), {}, {"owner_id": OTHERS}, {}),
    (("same_account", None), {}, {"key": 1}, {}),
    (("currency_mismatch", "currency"), {}, {}, {"currency": "USD"}),
    (("account_closed", None), {"status": "closed"}, {}, {}),
    (("account_frozen", None), {"status": "frozen"}, {}, {}),
    (("account_closed", None), {}, {"status": "closed"}, {}),
    (("balance_limit", None), {}, {"balance": MAX_AMOUNT - 99}, {}),
    (("limit_exceeded", None), {}, {}, {"spent": 901}),
    (("insufficient_funds", None), {"balance": 99}, {}, {}),
]


def broken(*breaks: int) -> tuple[str, str | None] | None:
    """The verdict on a transfer between two of one's own accounts that breaks these rules."""
    source: dict[str, Any] = {}
    destination: dict[str, Any] = {"key": 2, "balance": 0}
    rest: dict[str, Any] = {"destination": OwnAccount("two", "destination")}
    for number in breaks:
        source |= BREAKS[number][1]
        destination |= BREAKS[number][2]
        rest |= BREAKS[number][3]
    return verdict(state(**source), state(**destination), **rest)


def test_money_that_breaks_no_rule_moves() -> None:
    assert broken() is None


@pytest.mark.parametrize("number", range(len(BREAKS)))
def test_each_rule_refuses_alone(number: int) -> None:
    assert broken(number) == BREAKS[number][0]


# An account is closed or frozen, not both.
PAIRS = [pair for pair in itertools.combinations(range(len(BREAKS)), 2) if pair != (4, 5)]


@pytest.mark.parametrize("pair", PAIRS)
def test_of_two_broken_rules_the_earlier_one_is_told(pair: tuple[int, int]) -> None:
    assert broken(*pair) == BREAKS[pair[0]][0]


@pytest.mark.parametrize(
    ("source", "destination", "field"),
    [(None, state(key=2), "source"), (state(), None, "destination"), (None, None, "source")],
)
def test_an_account_that_is_not_there_is_not_found(source: Any, destination: Any, field: str) -> None:
    assert verdict(source, destination) == ("not_found", field)


@pytest.mark.parametrize(
    "trouble",
    [{"status": "closed"}, {"currency": "USD"}, {"balance": MAX_AMOUNT - 99}],
)
def test_of_a_strangers_account_nothing_is_told_but_that_it_cannot_take_this(trouble: Any) -> None:
    plain = {"closed": "account_closed", "USD": "currency_mismatch"}.get(
        str(next(iter(trouble.values()))), "balance_limit"
    )
    own = verdict(state(), state(key=2, **trouble))
    assert own is not None
    assert own[0] == plain
    assert verdict(state(), state(key=2, owner_id=OTHERS, **trouble)) == ("destination_unavailable", None)
    assert verdict(state(), state(key=2, owner_id=None, **trouble)) == ("destination_unavailable", None)


def test_a_teller_who_pays_for_somebody_is_told_no_more_of_a_strangers_account() -> None:
    without_login, closed = state(owner_id=None), state(key=2, owner_id=OTHERS, status="closed")
    assert verdict(without_login, closed, caller=TELLER) == ("destination_unavailable", None)
    paid_in: dict[str, Any] = {"kind": TransferKind.DEPOSIT, "destination": OwnAccount("two", "account")}
    assert verdict(without_login, closed, caller=TELLER, **paid_in) == ("account_closed", None)


def test_a_currency_that_is_not_the_accounts_is_told_in_words() -> None:
    error = judge(Case(command(currency="USD"), state(), state(key=2), 0, None))
    assert error is not None
    assert error.details == (Detail("currency", "currency_mismatch", "Not the account's currency."),)


def test_a_frozen_account_takes_what_comes_in() -> None:
    assert verdict(state(), state(key=2, status="frozen")) is None
    assert verdict(state(), state(key=2, status="frozen", owner_id=OTHERS)) is None


def test_the_last_minor_unit_counts() -> None:
    assert verdict(state(balance=100), state(key=2)) is None
    assert verdict(state(balance=70, overdraft_limit=30), state(key=2)) is None
    assert verdict(state(balance=100, held=1), state(key=2)) == ("insufficient_funds", None)
    assert verdict(state(), state(key=2, balance=MAX_AMOUNT - 100)) is None
    assert verdict(state(), state(key=2), spent=900) is None


def test_the_cash_desk_has_no_floor_but_an_end() -> None:
    cash = {"key": 3, "kind": "cash", "owner_id": None, "holder_id": None}
    paid_in: dict[str, Any] = {"kind": TransferKind.DEPOSIT, "source": CASH, "destination": SOURCE}
    assert verdict(state(**cash, balance=0), state(), **paid_in) is None
    assert verdict(state(**cash, balance=-MAX_BANK_BALANCE + 100), state(), **paid_in) is None
    assert verdict(state(**cash, balance=-MAX_BANK_BALANCE + 99), state(), **paid_in) == (
        "balance_limit",
        None,
    )
    paid_out: dict[str, Any] = {"kind": TransferKind.WITHDRAWAL, "destination": CASH}
    assert verdict(state(), state(**cash, balance=MAX_BANK_BALANCE - 99), **paid_out) == (
        "balance_limit",
        None,
    )
    assert verdict(None, state(), **paid_in) == ("currency_mismatch", "currency")
    assert verdict(state(), None, **paid_out) == ("currency_mismatch", "currency")


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.TELLER])
@pytest.mark.parametrize("kind", TransferKind)
def test_owners_use_their_own_accounts_and_nobody_elses(role: Role, kind: TransferKind) -> None:
    caller = Caller("usr_ada", role, "ses_1", Origin(None, None))
    assert may_use(caller, state(), kind)
    assert not may_use(caller, state(owner_id=OTHERS), kind)
    assert not may_use(caller, state(owner_id=None), kind)
    assert not may_use(caller, state(kind="cash", owner_id=None), kind)


def test_a_teller_handles_everybodys_cash_and_pays_for_those_without_a_login() -> None:
    for kind in (TransferKind.DEPOSIT, TransferKind.WITHDRAWAL):
        assert may_use(TELLER, state(), kind)
        assert may_use(TELLER, state(owner_id=None), kind)
    assert not may_use(TELLER, state(), TransferKind.TRANSFER)
    assert may_use(TELLER, state(owner_id=None), TransferKind.TRANSFER)
    assert not may_use(TELLER, state(kind="cash", owner_id=None), TransferKind.DEPOSIT)


def reversal(**changes: Any) -> tuple[str, str | None] | None:
    values: dict[str, Any] = {
        "kind": "transfer",
        "is_hold": False,
        "reversed_already": False,
        "amount": 100,
        "payer": state(),
        "payee": state(key=2),
    }
    return code(judge_reversal(**values | changes))


REVERSAL_BREAKS: list[tuple[str, dict[str, Any]]] = [
    ("not_reversible", {"kind": "reversal"}),
    ("already_reversed", {"reversed_already": True}),
    ("account_closed", {"payee": state(key=2, status="closed", balance=MAX_AMOUNT)}),
    ("balance_limit", {"payee": state(key=2, balance=MAX_AMOUNT - 99)}),
    ("insufficient_funds", {"payer": state(balance=99)}),
]


@pytest.mark.parametrize(
    "pair", list(itertools.combinations_with_replacement(range(len(REVERSAL_BREAKS)), 2))
)
def test_of_two_objections_to_a_reversal_the_earlier_one_is_told(pair: tuple[int, int]) -> None:
    first, second = (REVERSAL_BREAKS[number] for number in pair)
    assert reversal(**second[1] | first[1]) == (first[0], None)


@pytest.mark.parametrize("kind", TransferKind)
def test_what_can_be_reversed(kind: TransferKind) -> None:
    allowed = kind in {"transfer", "deposit", "withdrawal", "fee", "interest"}
    assert reversal(kind=kind) == (None if allowed else ("not_reversible", None))


def test_a_hold_cannot_be_reversed() -> None:
    assert reversal(is_hold=True) == ("not_reversible", None)


def test_a_frozen_side_is_no_obstacle_to_a_reversal_and_a_closed_one_is() -> None:
    assert reversal(payer=state(status="frozen"), payee=state(key=2, status="frozen")) is None
    assert reversal(payer=state(status="closed")) == ("account_closed", None)
    cash = state(key=3, kind="cash", owner_id=None, holder_id=None, balance=-MAX_BANK_BALANCE + 99)
    assert reversal(payer=cash) == ("balance_limit", None)
