"""What a card says, rule by rule, without a database."""

import itertools
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from app.core import ids
from app.core.caller import Caller, Origin, Role
from app.core.money import MAX_AMOUNT
from app.ledger import card_rules
from app.ledger.commands import (
    AuthorizeCard,
    BankAccount,
    CardAccount,
    Key,
    authorization_of,
    hold_of,
)
from app.ledger.states import AccountState, AuthorizationState, CardState, HoldState
from app.models.accounts import AccountKind
from app.models.authorizations import AuthorizationStatus, DeclineReason, status_of
from app.models.cards import CardStatus
from app.models.transfers import TransferKind

DAY = date(2026, 2, 28)
NETWORK = Caller("usr_n", Role.NETWORK, "ses_n", Origin(None, None))
SHOP = {"name": "Corner Shop", "mcc": "5411", "country": "AT"}

# What makes a card say no, one thing for each reason; together they are all reasons at once.
AGAINST: dict[DeclineReason, dict[str, Any]] = {
    DeclineReason.CARD_CANCELLED: {"card": {"status": "cancelled"}},
    DeclineReason.CARD_EXPIRED: {"card": {"expires_on": date(2026, 2, 27)}},
    DeclineReason.CARD_INACTIVE: {"card": {"status": "inactive"}},
    DeclineReason.CARD_FROZEN: {"card": {"status": "frozen"}},
    DeclineReason.ACCOUNT_FROZEN: {"account": {"status": "frozen"}},
    DeclineReason.CURRENCY_NOT_SUPPORTED: {"account": {"currency": "USD"}},
    DeclineReason.ONLINE_DISABLED: {"card": {"online": False}},
    DeclineReason.MCC_BLOCKED: {"card": {"blocked_mccs": ["5411"]}},
    DeclineReason.COUNTRY_BLOCKED: {"card": {"blocked_countries": ["AT"]}},
    DeclineReason.LIMIT_EXCEEDED: {"card": {"per_payment": 99}},
    DeclineReason.INSUFFICIENT_FUNDS: {"account": {"balance": 99}},
}


def card(**values: Any) -> CardState:
    return replace(CardState(1, "crd_1", 2, "active", DAY, None, None, None, True, [], []), **values)


def account(**values: Any) -> AccountState:
    usual = AccountState(
        2, "acc_1", "1", "usr_a", "hdr_a", "checking", "EUR", "active", 100, 0, 0, 0, 1, 1, 1
    )
    return replace(usual, **values)


def asked(amount: int = 100, *, online: bool = True) -> AuthorizeCard:
    return AuthorizeCard(
        NETWORK,
        Key("k", b""),
        TransferKind.CARD_PAYMENT,
        CardAccount("crd_1"),
        BankAccount(AccountKind.CARD_SETTLEMENT),
        amount,
        "EUR",
        card_id="crd_1",
        merchant=SHOP,
        online=online,
    )


def said(*against: DeclineReason, passes_daily_limit: bool = False) -> DeclineReason | None:
    of_card: dict[str, Any] = {}
    of_account: dict[str, Any] = {}
    for reason in reversed(against):
        of_card |= AGAINST[reason].get("card", {})
        of_account |= AGAINST[reason].get("account", {})
    return card_rules.decline(
        asked(), card(**of_card), account(**of_account), DAY, passes_daily_limit=passes_daily_limit
    )


def test_a_card_with_nothing_against_it_pays_to_the_last_cent_and_day() -> None:
    assert said() is None


@pytest.mark.parametrize("reason", DeclineReason)
def test_each_reason_alone_is_told(reason: DeclineReason) -> None:
    assert said(reason) is reason


def test_of_two_reasons_the_one_that_is_first_on_the_list_is_told() -> None:
    for first, second in itertools.combinations(DeclineReason, 2):
        assert said(first, second) is first, (first, second)


def test_the_limit_of_the_account_is_a_limit_as_well() -> None:
    assert said(passes_daily_limit=True) is DeclineReason.LIMIT_EXCEEDED
    assert said(DeclineReason.INSUFFICIENT_FUNDS, passes_daily_limit=True) is DeclineReason.LIMIT_EXCEEDED


def test_a_payment_with_the_card_at_hand_is_not_online() -> None:
    assert (
        card_rules.decline(asked(online=False), card(online=False), account(), DAY, passes_daily_limit=False)
        is None
    )


@pytest.mark.parametrize(
    ("limits", "used", "passes"),
    [
        ({"per_payment": 100}, (10**9, 10**9), False),
        ({"per_payment": 99}, (0, 0), True),
        ({"per_day": 150}, (50, 10**9), False),
        ({"per_day": 149}, (50, 0), True),
        ({"per_month": 150}, (10**9, 50), False),
        ({"per_month": 149}, (0, 50), True),
        ({}, (10**9, 10**9), False),
    ],
)
def test_a_limit_may_be_reached_and_not_passed(
    limits: dict[str, int], used: tuple[int, int], passes: bool
) -> None:
    limited = card(this_day=used[0], this_month=used[1], **limits)
    assert limited.passes_limit(100, 100) is passes
    assert limited.has_sums is bool({"per_day", "per_month"} & limits.keys())


def hold(**values: Any) -> HoldState:
    return replace(HoldState({}, 9, "pending", 60, 60, 0, None, 1), **values)


@pytest.mark.parametrize(
    ("limits", "status", "is_open", "code"),
    [
        ({}, "active", True, None),
        ({"per_payment": 100}, "active", True, None),
        ({"per_payment": 99}, "active", True, "limit_exceeded"),
        # The rest has been counted already.
        ({"per_day": 100, "this_day": 60}, "active", True, None),
        ({"per_day": 99, "this_day": 60}, "active", True, "limit_exceeded"),
        ({"per_payment": 99}, "frozen", True, "card_state"),
        ({"per_payment": 99}, "frozen", False, "hold_not_active"),
    ],
)
def test_more_is_approved_as_both_together_would_be(
    limits: dict[str, int], status: str, is_open: bool, code: str | None
) -> None:
    one = hold() if is_open else hold(status="voided")
    objection = card_rules.judge_more(card(status=status, **limits), one, 40, DAY)
    assert (objection.code if objection else None) == code


@pytest.mark.parametrize(
    ("refunded", "amount", "balance", "code"),
    [
        (0, 60, 0, None),
        (20, 40, 0, None),
        (20, 41, 0, "validation_failed"),
        (60, 1, 0, "validation_failed"),
        (0, 1, MAX_AMOUNT - 1, None),
        (0, 1, MAX_AMOUNT, "balance_limit"),
    ],
)
def test_no_more_is_given_back_than_was_captured(
    refunded: int, amount: int, balance: int, code: str | None
) -> None:
    authorization = AuthorizationState({}, card(), refunded)
    payer, payee = account(kind="card_settlement", owner_id=None, holder_id=None), account(balance=balance)
    objection = card_rules.judge_refund(authorization, 60, amount, payer, payee)
    assert (objection.code if objection else None) == code


def test_the_network_asks_all_cards_and_owners_their_own() -> None:
    owner = replace(NETWORK, id="usr_a", role=Role.CUSTOMER)
    assert card_rules.may_ask(NETWORK, "usr_a")
    assert card_rules.may_ask(NETWORK, None)
    assert card_rules.may_ask(owner, "usr_a")
    assert not card_rules.may_ask(owner, "usr_b")
    assert not card_rules.may_ask(owner, None)
    assert not card_rules.may_ask(replace(owner, role=Role.TELLER, id="usr_t"), "usr_a")


def test_an_authorisation_and_its_hold_find_each_other_by_their_ids() -> None:
    made = ids.new_id(ids.TRANSFER)
    assert hold_of(authorization_of(made)) == made
    for wrong in ("", "aut_x", made, made.upper()):
        assert hold_of(wrong) == ""
    for wrong in ("", "trf_x", authorization_of(made)):
        assert authorization_of(wrong) == ""


def test_a_status_is_that_of_the_hold() -> None:
    assert {one: status_of(one) for one in (None, "pending", "posted", "voided", "expired")} == {
        None: AuthorizationStatus.DECLINED,
        "pending": AuthorizationStatus.APPROVED,
        "posted": AuthorizationStatus.CAPTURED,
        "voided": AuthorizationStatus.VOIDED,
        "expired": AuthorizationStatus.EXPIRED,
    }


def test_a_card_is_good_through_its_last_day_and_a_cancelled_one_never_expires() -> None:
    assert card().status_on(DAY) is CardStatus.ACTIVE
    assert card().status_on(date(2026, 3, 1)) is CardStatus.EXPIRED
    assert card(status="cancelled").status_on(date(2026, 3, 1)) is CardStatus.CANCELLED
