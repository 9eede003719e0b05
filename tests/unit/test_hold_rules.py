"""The rules of holds as pure functions: each refuses what it should, and the first one wins."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.core.caller import Caller, Origin, Role
from app.core.errors import BankingError
from app.core.money import MAX_AMOUNT, MAX_BANK_BALANCE
from app.ledger.commands import CaptureTransfer, IncrementTransfer, Key, VoidTransfer
from app.ledger.hold_rules import Sides, judge_actor, judge_capture, judge_end, judge_increment
from app.ledger.policy import LONGEST_HOLD
from app.ledger.states import HoldState
from app.models.transfers import TransferKind
from tests.unit.states import state

ADA = Caller("usr_ada", Role.CUSTOMER, "ses_1", Origin(None, None))
KEY = Key("k", b"")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
BENS = {"key": 2, "owner_id": "usr_ben", "balance": 0}


def code(error: BankingError | None) -> tuple[str, str | None] | None:
    return error and (error.code, error.details[0].field if error.details else None)


def hold(**changes: Any) -> HoldState:
    values: dict[str, Any] = {"status": "pending", "amount": 100, "remaining": 100, "captured": 0}
    return HoldState(**{"record": {}, "key": 7, "booked_at": None, "last_event": 1} | values | changes)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (-INSTANT, ("validation_failed", "expires_at")),
        (timedelta(), ("validation_failed", "expires_at")),
        (INSTANT, None),
        (LONGEST_HOLD, None),
        (LONGEST_HOLD + INSTANT, ("validation_failed", "expires_at")),
    ],
)
def test_a_hold_ends_in_the_future_and_soon_enough(after: timedelta, expected: Any) -> None:
    assert code(judge_end(NOW + after, NOW)) == expected


def told(error: BankingError | None) -> list[tuple[str, str, str]]:
    assert error is not None
    return [(one.field, one.code, one.message) for one in error.details]


def test_what_is_wrong_with_a_field_is_said_in_words() -> None:
    assert told(judge_end(NOW, NOW)) == [("expires_at", "in_the_past", "A hold ends in the future.")]
    assert told(judge_end(NOW + 2 * LONGEST_HOLD, NOW)) == [
        ("expires_at", "too_late", "A hold lasts 30 days at most.")
    ]
    command = CaptureTransfer(ADA, KEY, "trf_1", 101)
    refused = judge_capture(command, hold(), 101, Sides(state(held=100), state(**BENS)), passes_limit=False)
    assert told(refused) == [("amount", "too_large", "This is more than the hold has left.")]


def actor(
    caller: Caller, kind: TransferKind = TransferKind.TRANSFER, **transfer: Any
) -> tuple[str, str | None] | None:
    record = {"kind": "transfer", "captured": 0} | transfer
    sides = Sides(state(held=100), state(**BENS))
    return code(judge_actor(VoidTransfer(caller, KEY, "trf_1", kind), record, sides))


def somebody(role: Role, user: str = "usr_x") -> Caller:
    return Caller(user, role, "ses_x", Origin(None, None))


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        (ADA, None),
        (somebody(Role.TELLER), None),
        (somebody(Role.OPERATOR), None),
        (somebody(Role.AUDITOR), ("forbidden", None)),
        (somebody(Role.ADMIN), ("forbidden", None)),
        (somebody(Role.CUSTOMER, "usr_ben"), ("forbidden", None)),
        (somebody(Role.CUSTOMER), ("not_found", "transfer_id")),
        (somebody(Role.NETWORK), ("not_found", "transfer_id")),
    ],
)
def test_who_acts_on_the_hold_of_a_transfer(who: Caller, expected: Any) -> None:
    assert actor(who) == expected
    # Who may not act is not told what it is either.
    assert actor(who, captured=None) == (expected or ("hold_not_active", None))
    assert actor(who, kind=TransferKind.TRANSFER) == expected


def test_who_acts_on_the_hold_of_a_card_payment() -> None:
    card = TransferKind.CARD_PAYMENT
    record = {"kind": "card_payment", "captured": 0}
    sides = Sides(state(held=100), state(kind="card_settlement", owner_id=None, holder_id=None, key=2))

    def verdict(caller: Caller, kind: TransferKind = card) -> tuple[str, str | None] | None:
        return code(judge_actor(VoidTransfer(caller, KEY, "trf_1", kind), record, sides))

    assert verdict(somebody(Role.NETWORK)) is None
    assert verdict(ADA) is None
    assert verdict(somebody(Role.TELLER)) == ("forbidden", None)
    assert verdict(somebody(Role.CUSTOMER)) == ("not_found", "transfer_id")
    # Acted on as a transfer, which it is not.
    assert verdict(ADA, TransferKind.TRANSFER) == ("forbidden", None)


def test_of_people_without_a_login_nobody_is_the_owner() -> None:
    sides = Sides(state(owner_id=None, held=100), state(**BENS))
    command = VoidTransfer(ADA, KEY, "trf_1")
    record = {"kind": "transfer", "captured": 0}
    assert code(judge_actor(command, record, sides)) == ("not_found", "transfer_id")
    assert code(judge_actor(command, None, None)) == ("not_found", "transfer_id")


# What breaks a rule of captures, in the order of the contract: (told, of the hold, source, destination,
# the command).
CAPTURE_BREAKS: list[tuple[tuple[str, str | None], dict[str, Any], dict[str, Any], dict[str, Any], int]] = [
    (("hold_not_active", None), {"status": "voided", "remaining": 0}, {}, {}, 100),
    (("validation_failed", "amount"), {}, {}, {}, 121),
    (("account_closed", None), {}, {"status": "closed"}, {}, 100),
    (("destination_unavailable", None), {}, {}, {"status": "closed"}, 100),
    (("balance_limit", None), {}, {"overdraft_limit": 2**60, "balance": -MAX_AMOUNT + 99}, {}, 100),
    (("account_frozen", None), {}, {"status": "frozen"}, {}, 100),
    (("insufficient_funds", None), {}, {"balance": 119}, {}, 120),
]


@pytest.mark.parametrize(
    "pair", list(itertools.combinations_with_replacement(range(len(CAPTURE_BREAKS)), 2)), ids=str
)
def test_of_two_objections_to_a_capture_the_earlier_one_is_told(pair: tuple[int, int]) -> None:
    first, second = (CAPTURE_BREAKS[number] for number in pair)
    sides = Sides(state(**{"held": 100} | second[2] | first[2]), state(**BENS | second[3] | first[3]))
    amount = max(first[4], second[4])
    command = CaptureTransfer(ADA, KEY, "trf_1", amount, tolerance=20)
    assert (
        code(judge_capture(command, hold(**second[1] | first[1]), amount, sides, passes_limit=False))
        == first[0]
    )


def captured(
    amount: int, held: HoldState | None = None, source: Any = None, to: Any = None, **more: Any
) -> Any:
    sides = Sides(state(**{"held": 100} | (source or {})), state(**BENS | (to or {})))
    command = CaptureTransfer(ADA, KEY, "trf_1", amount, **more)
    return code(judge_capture(command, held or hold(), amount, sides, passes_limit=False))


@pytest.mark.parametrize(
    ("tolerance", "captured_before", "most"), [(0, 0, 100), (20, 0, 120), (20, 60, 60), (9, 0, 109)]
)
def test_the_tolerance_is_a_part_of_the_whole_hold(tolerance: int, captured_before: int, most: int) -> None:
    held = hold(captured=captured_before, remaining=100 - captured_before)
    assert captured(most, held, tolerance=tolerance) is None
    assert captured(most + 1, held, tolerance=tolerance) == ("validation_failed", "amount")


def test_what_is_reserved_is_captured_whatever_is_available() -> None:
    below = {"balance": 20, "held": 100, "unarranged": 80}
    assert captured(100, source=below) is None
    assert captured(101, source=below, tolerance=1) == ("insufficient_funds", None)
    assert captured(101, source={"balance": 101}, tolerance=1) is None
    assert captured(101, source={"balance": 100}, tolerance=1) == ("insufficient_funds", None)


def test_a_frozen_source_stops_its_owner_and_what_is_above_the_hold() -> None:
    frozen = {"status": "frozen"}
    assert captured(100, source=frozen, to=frozen) == ("account_frozen", None)
    assert captured(100, to=frozen) is None
    others = frozen | {"owner_id": "usr_x"}
    assert captured(100, source=others) is None
    assert captured(101, source=others, tolerance=1) == ("account_frozen", None)
    # The shop has been promised it, whoever plays the network.
    assert captured(100, source=frozen, kind=TransferKind.CARD_PAYMENT) is None


def test_what_is_above_the_hold_is_asked_the_limits_of_a_new_payment() -> None:
    command = CaptureTransfer(ADA, KEY, "trf_1", 101, tolerance=1)
    sides = Sides(state(held=100), state(**BENS))
    assert code(judge_capture(command, hold(), 101, sides, passes_limit=True)) == ("limit_exceeded", None)


@pytest.mark.parametrize("status", ["posted", "voided", "expired"])
def test_only_what_has_expired_is_captured_late_and_only_when_forced(status: str) -> None:
    over = hold(status=status, remaining=0, captured=40)
    assert captured(1, over) == ("hold_not_active", None)
    forced = captured(60, over, source={"balance": 0, "held": 0}, forced=True)
    assert forced == (None if status == "expired" else ("hold_not_active", None))
    if status == "expired":
        assert captured(61, over, forced=True) == ("validation_failed", "amount")
        assert captured(1, over, source={"status": "closed"}, forced=True) == ("account_closed", None)


def test_to_accounts_of_ones_own_the_reason_is_told() -> None:
    mine = {"owner_id": "usr_ada"}
    for act in (captured, increased):
        assert act(1, to=mine | {"status": "closed"}) == ("account_closed", None)
        assert act(1, to=mine | {"balance": MAX_AMOUNT}) == ("balance_limit", None)
        assert act(1, to={"balance": MAX_AMOUNT}) == ("destination_unavailable", None)
        bank = {"owner_id": None, "holder_id": None, "kind": "card_settlement"}
        assert act(1, to=bank | {"balance": MAX_BANK_BALANCE}) == ("balance_limit", None)


def increased(
    amount: int, held: HoldState | None = None, source: Any = None, to: Any = None, passes: bool = False
) -> Any:
    sides = Sides(state(**{"held": 100} | (source or {})), state(**BENS | (to or {})))
    command = IncrementTransfer(ADA, KEY, "trf_1", amount)
    return code(judge_increment(command, held or hold(), sides, passes_limit=passes))


def test_an_increment_is_judged_as_the_payment_that_it_is_going_to_be() -> None:
    assert increased(400) is None
    assert increased(401) == ("insufficient_funds", None)
    assert increased(401, passes=True) == ("limit_exceeded", None)
    assert increased(1, passes=True, to={"status": "closed"}) == ("destination_unavailable", None)
    frozen = {"status": "frozen"}
    assert increased(1, source=frozen, to={"status": "closed"}) == ("account_frozen", None)
    assert increased(1, hold(status="voided"), source=frozen) == ("hold_not_active", None)
    assert increased(MAX_AMOUNT - 100, source={"overdraft_limit": 2**60}) is None
    assert increased(MAX_AMOUNT - 99, source={"overdraft_limit": 2**60}) == ("balance_limit", None)
    # The whole hold must find room where it goes.
    assert increased(1, to={"balance": MAX_AMOUNT - 100}) == ("destination_unavailable", None)
