"""Card payments that are wrong on purpose: each of their rules broken."""

from typing import Final

from app.core.caller import Role
from tests.books import Acct, Books, authorize, give_back, on_card

Finding = tuple[str, str]

_KEY: Final = "a key of an authorisation names one of its caller's, or an act of theirs on its hold"
_APPROVED: Final = (
    "an approved authorisation is a card payment's hold on the card's account, of its id and amount"
)
_ASKED: Final = "a hold of a card payment is an authorisation"
_REFUND: Final = "a card refund is of an authorisation, of the same amount, from where its captures went"
_MOST: Final = "no more is given back of an authorisation than was captured"
_CAPTURE: Final = "a capture is of a hold, between its accounts and of its kind, by an act on it"
_YES: Final = "WHERE id = :yes"


def pay_by_card(books: Books, account: Acct) -> dict[str, str]:
    """A yes that is captured and partly given back, and a no; the names of all that."""
    network, card = books.person(Role.NETWORK), books.card(account)
    yes = books.answered(authorize(network, card, 6))
    no = books.answered(authorize(network, card, 10**9))
    captured = books.answered(on_card(network, yes, "capture", 4))
    refund = books.did(give_back(network, yes, 3))
    assert captured.hold is not None
    part = books.rows("SELECT id FROM transfers WHERE pending_key = :key", key=captured.hold.row["key"])
    hold_id = captured.hold.row["id"]
    return {
        "yes": yes.row["id"],
        "no": no.row["id"],
        "yes_hold": hold_id,
        "yes_part": part[0].id,
        "refund": refund.row["id"],
        "yes_asked": f"/v1/authorizations/{yes.row['id']}#1",
        "yes_captured": f"/v1/authorizations/{yes.row['id']}#2",
        "no_asked": f"/v1/authorizations/{no.row['id']}",
        "yes_never": f"/v1/authorizations/{yes.row['id']}#9",
        "card": card,
    }


# A change, and everything that is then wrong: (rule, name of the row).
CARD_DAMAGES: Final[list[tuple[str, set[Finding]]]] = [
    (f"UPDATE authorizations SET amount = amount + 1 {_YES}", {(_APPROVED, "yes")}),
    (f"UPDATE authorizations SET currency = 'USD' {_YES}", {(_APPROVED, "yes")}),
    (
        "UPDATE cards SET account_key = (SELECT key FROM accounts WHERE id = :two) WHERE id = :card",
        {(_APPROVED, "yes")},
    ),
    ("UPDATE transfers SET id = 'trf_x' WHERE id = :yes_hold", {(_APPROVED, "yes")}),
    (
        "UPDATE transfers SET kind = 'transfer' WHERE id = :yes_hold",
        {(_APPROVED, "yes"), (_CAPTURE, "yes_part")},
    ),
    (
        f"UPDATE authorizations SET hold_key = NULL, decline_reason = 'card_frozen' {_YES}",
        {(_ASKED, "yes_hold"), (_REFUND, "refund"), (_KEY, "yes_asked"), (_KEY, "yes_captured")},
    ),
    ("UPDATE card_refunds SET amount = amount - 1", {(_REFUND, "refund")}),
    ("UPDATE card_refunds SET amount = amount + 2", {(_REFUND, "refund"), (_MOST, "yes")}),
    (
        "UPDATE card_refunds SET authorization_key = (SELECT key FROM authorizations WHERE id = :no)",
        {(_REFUND, "refund")},
    ),
    ("UPDATE transfers SET kind = 'card_refund' WHERE id = :back", {(_REFUND, "back")}),
    ("UPDATE idempotency_keys SET location = :yes_never WHERE location = :yes_asked", {(_KEY, "yes_never")}),
    ("UPDATE authorizations SET initiated_by = '-' WHERE id = :no", {(_KEY, "no_asked")}),
    ("UPDATE idempotency_keys SET caller = '-' WHERE location = :yes_asked", {(_KEY, "yes_asked")}),
]
