"""The service, asked about cards in the words of the model."""

import json
from typing import Any

from tests.bank import rows
from tests.cards import AUTHORIZATIONS, CARDS, asked
from tests.model.card_words import (
    AskCard,
    CaptureCard,
    RaiseCard,
    Refund,
    SwitchCard,
    TakeCard,
    VoidCard,
)
from tests.model.service import Service
from tests.model.words import Answer


class CardService(Service):
    """A running bank that issues cards."""

    def _as_http(self, request: Any) -> tuple[str, dict[str, Any] | None, str | None]:
        match request:
            case TakeCard(account):
                return CARDS, {"account_id": self._id(account), "type": "virtual"}, "id"
            case SwitchCard(card, action):
                return f"{CARDS}/{self._id(card)}/{action}", None, None
            case AskCard(card, amount, currency):
                body = asked(amount, currency=currency)
                return f"{CARDS}/{self._id(card)}/authorizations", body, "id"
            case CaptureCard() | RaiseCard() | VoidCard() | Refund():
                return self._on_answer_as_http(request)
        return super()._as_http(request)

    def _on_answer_as_http(self, request: Any) -> tuple[str, dict[str, Any] | None, str | None]:
        path = f"{AUTHORIZATIONS}/{self._id(request.answer)}"
        match request:
            case CaptureCard(_, amount, final):
                return f"{path}/capture", {"amount": amount, "final": final}, None
            case RaiseCard(_, amount):
                return f"{path}/increment", {"amount": amount}, None
            case Refund(card, answer, amount):
                body = {"authorization_id": self._id(answer), "amount": amount}
                return f"{CARDS}/{self._id(card)}/refunds", body, "id"
        return f"{path}/void", None, None

    def _as_replayed(self, request: Any, first: str) -> str:
        """A number is told once; all else is told again to the letter."""
        if not isinstance(request, TakeCard):
            return first
        told = json.loads(first) | {"number": None}
        return json.dumps(told, ensure_ascii=False, separators=(",", ":"))

    def limit_card(self, card: str, **limits: int | None) -> None:
        """Its owner sets other limits."""
        path = f"{CARDS}/{self._id(card)}"
        teller = self._logins["teller"]
        assert teller.patch(f"{path}/limits", json={"limits": limits}).status_code == 200

    def look_at_answer(self, who: str, name: str) -> Answer:
        return self._understood(self._logins[who].get(f"{AUTHORIZATIONS}/{self._id(name)}"))

    def books(self) -> dict[str, Any]:
        known = super().books()
        answers = rows(
            self._db,
            "SELECT a.id, c.id, a.decline_reason, t.id, "
            "coalesce((SELECT sum(amount) FROM card_refunds WHERE authorization_key = a.key), 0) "
            "FROM authorizations a JOIN cards c ON c.key = a.card_key "
            "LEFT JOIN transfers t ON t.key = a.hold_key ORDER BY a.key",
        )
        return known | {"answers": [tuple(map(self._name, row)) for row in answers]}
