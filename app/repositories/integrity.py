"""Questions whose answer is "no row", if the ledger is right. Each is one statement over a snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db.base import AnyRow


@dataclass(frozen=True, slots=True)
class Check:
    """A rule of the ledger, and the rows that break it: (what, is, should be).

    `{elements}` in the query makes rows of a JSON array.
    """

    rule: str
    query: str


_SUMS: Final = """
    SELECT currency AS what, sum({amount}) AS actual, 0 AS expected
    FROM {tables} GROUP BY currency HAVING sum({amount}) <> 0
"""

CHECKS: Final[Sequence[Check]] = (
    Check(
        "balances of a currency sum to zero",
        _SUMS.format(amount="balance", tables="accounts"),
    ),
    Check(
        "entries of a currency sum to zero",
        _SUMS.format(amount="entries.amount", tables="entries JOIN accounts ON accounts.key = account_key"),
    ),
    Check(
        "a posted transfer has exactly its two entries, of its amount",
        """
        SELECT t.id AS what, count(e.transfer_key) AS actual, 2 AS expected
        FROM transfers t LEFT JOIN entries e ON e.transfer_key = t.key
            AND (e.account_key = t.source_key AND e.amount = -t.amount
                OR e.account_key = t.destination_key AND e.amount = t.amount)
        WHERE t.status = 'posted' AND t.captured IS NULL
        GROUP BY t.key, t.id HAVING count(e.transfer_key) <> 2
        """,
    ),
    Check(
        "an entry belongs to a posted transfer",
        """
        SELECT e.id AS what, count(t.key) AS actual, 1 AS expected
        FROM entries e LEFT JOIN transfers t ON t.key = e.transfer_key AND t.captured IS NULL
            AND t.status = 'posted' AND (e.account_key = t.source_key OR e.account_key = t.destination_key)
        GROUP BY e.account_key, e.sequence, e.id HAVING count(t.key) <> 1
        """,
    ),
    Check(
        "both accounts of a transfer are of its currency",
        """
        SELECT t.id AS what, s.currency AS actual, t.currency AS expected
        FROM transfers t JOIN accounts s ON s.key IN (t.source_key, t.destination_key)
        WHERE s.currency <> t.currency
        """,
    ),
    Check(
        "an account's balance is the sum of its entries",
        """
        SELECT a.id AS what, a.balance AS actual, coalesce(sum(e.amount), 0) AS expected
        FROM accounts a LEFT JOIN entries e ON e.account_key = a.key
        GROUP BY a.key, a.id, a.balance HAVING a.balance <> coalesce(sum(e.amount), 0)
        """,
    ),
    Check(
        "an account's last entry has its balance, sequence and time",
        """
        SELECT a.id AS what, e.balance_after AS actual, a.balance AS expected
        FROM accounts a LEFT JOIN entries e
            ON e.account_key = a.key AND e.sequence = a.last_sequence
        WHERE a.last_sequence > 0 AND (e.account_key IS NULL
            OR e.balance_after <> a.balance OR e.booked_at <> a.last_booked_at)
        """,
    ),
    Check(
        "an account has as many entries as its last sequence says",
        """
        SELECT a.id AS what, count(e.account_key) AS actual, a.last_sequence AS expected
        FROM accounts a LEFT JOIN entries e ON e.account_key = a.key
        GROUP BY a.key, a.id, a.last_sequence HAVING count(e.account_key) <> a.last_sequence
        """,
    ),
    Check(
        "each entry continues the one before: sequence, balance, time",
        """
        SELECT id AS what, balance_after AS actual, balance_before + amount AS expected
        FROM (
            SELECT id, sequence, amount, balance_after, booked_at,
                coalesce(lag(balance_after) OVER line, 0) AS balance_before,
                coalesce(lag(sequence) OVER line, 0) AS sequence_before,
                lag(booked_at) OVER line AS booked_before
            FROM entries WINDOW line AS (PARTITION BY account_key ORDER BY sequence)
        ) AS lines
        WHERE balance_after <> balance_before + amount OR sequence <> sequence_before + 1
            OR booked_at <= booked_before
        """,
    ),
    Check(
        "what is held is the sum of open holds",
        """
        SELECT a.id AS what, a.held AS actual, coalesce(sum(t.remaining), 0) AS expected
        FROM accounts a LEFT JOIN transfers t ON t.source_key = a.key AND t.status = 'pending'
        GROUP BY a.key, a.id, a.held HAVING a.held <> coalesce(sum(t.remaining), 0)
        """,
    ),
    Check(
        "a hold has captured the sum of its captures",
        """
        SELECT h.id AS what, h.captured AS actual, coalesce(sum(c.amount), 0) AS expected
        FROM transfers h LEFT JOIN transfers c ON c.pending_key = h.key
        WHERE h.captured IS NOT NULL
        GROUP BY h.key, h.id, h.captured HAVING h.captured <> coalesce(sum(c.amount), 0)
        """,
    ),
    Check(
        "a capture is of a hold, between its accounts and of its kind, by an act on it",
        """
        SELECT c.id AS what, count(h.key) AS actual, 1 AS expected
        FROM transfers c LEFT JOIN hold_events e
            ON e.capture_key = c.key AND e.transfer_key = c.pending_key AND e.amount = c.amount
            AND e.actor = c.initiated_by
        LEFT JOIN transfers h ON h.key = e.transfer_key AND h.captured IS NOT NULL
            AND h.source_key = c.source_key AND h.destination_key = c.destination_key AND h.kind = c.kind
        WHERE c.pending_key IS NOT NULL
        GROUP BY c.key, c.id HAVING count(h.key) <> 1
        """,
    ),
    Check(
        "a hold is as its last event left it",
        """
        SELECT h.id AS what, h.remaining AS actual, e.remaining_after AS expected
        FROM transfers h LEFT JOIN hold_events e ON e.transfer_key = h.key AND e.sequence =
            (SELECT max(sequence) FROM hold_events WHERE transfer_key = h.key)
        WHERE h.captured IS NOT NULL AND (e.sequence IS NULL OR e.account_key <> h.source_key
            OR e.status_after <> h.status OR e.amount_after <> h.amount
            OR e.remaining_after <> h.remaining OR e.captured_after <> h.captured)
        """,
    ),
    Check(
        "each event of a hold continues the one before",
        """
        SELECT h.id AS what, sequence AS actual, sequence_before + 1 AS expected
        FROM (
            SELECT e.*, coalesce(lag(sequence) OVER story, 0) AS sequence_before,
                coalesce(lag(amount_after) OVER story, 0) AS amount_before,
                coalesce(lag(remaining_after) OVER story, 0) AS remaining_before,
                coalesce(lag(captured_after) OVER story, 0) AS captured_before,
                coalesce(lag(status_after) OVER story, '') AS status_before
            FROM hold_events e WINDOW story AS (PARTITION BY transfer_key ORDER BY sequence)
        ) AS events JOIN transfers h ON h.key = events.transfer_key
        WHERE sequence <> sequence_before + 1
            OR amount_after <> amount_before
                + CASE WHEN act IN ('created', 'incremented') THEN events.amount ELSE 0 END
            OR captured_after <> captured_before + CASE act WHEN 'captured' THEN events.amount ELSE 0 END
            OR NOT CASE act
                WHEN 'created' THEN status_before = '' AND status_after = 'pending'
                    AND remaining_after = events.amount
                WHEN 'incremented' THEN status_before = 'pending' AND status_after = 'pending'
                    AND remaining_after = remaining_before + events.amount
                WHEN 'captured' THEN status_before IN ('pending', 'expired') AND (
                    status_after = 'posted' AND remaining_after = 0
                    OR status_after = 'pending' AND remaining_after = remaining_before - events.amount)
                ELSE status_before = 'pending' AND status_after = act AND remaining_after = 0
                    AND events.amount = remaining_before
            END
        """,
    ),
    Check(
        "unarranged is how far a customer's account is below its arranged floor",
        """
        SELECT id AS what, unarranged AS actual, expected FROM (
            SELECT id, unarranged, CASE
                WHEN holder_id IS NOT NULL AND held - balance - overdraft_limit > 0
                THEN held - balance - overdraft_limit ELSE 0 END AS expected
            FROM accounts
        ) AS floors WHERE unarranged <> expected
        """,
    ),
    Check(
        "no customer's account is below its floor",
        """
        SELECT id AS what, balance AS actual, held - overdraft_limit - unarranged AS expected
        FROM accounts
        WHERE holder_id IS NOT NULL AND balance - held + overdraft_limit + unarranged < 0
        """,
    ),
    Check(
        "an account is its holder's",
        """
        SELECT a.id AS what, a.owner_id AS actual, h.user_id AS expected
        FROM accounts a JOIN account_holders h ON h.id = a.holder_id
        WHERE a.owner_id IS DISTINCT FROM h.user_id
        """,
    ),
    Check(
        "a transfer tells the time and the balance of its source's entry",
        """
        SELECT t.id AS what, t.source_balance AS actual, e.balance_after AS expected
        FROM transfers t JOIN entries e ON e.transfer_key = t.key AND e.account_key = t.source_key
        WHERE t.status = 'posted' AND t.captured IS NULL
            AND (t.source_balance <> e.balance_after OR t.booked_at <> e.booked_at)
        """,
    ),
    Check(
        "a closed account is empty",
        """
        SELECT id AS what, balance AS actual, 0 AS expected
        FROM accounts WHERE status = 'closed' AND (balance <> 0 OR held <> 0)
        """,
    ),
    Check(
        "a reversal mirrors what it reverses, once",
        """
        SELECT r.id AS what, r.amount AS actual, t.amount AS expected
        FROM transfers r LEFT JOIN transfers t ON t.key = r.reverses_key
        WHERE (r.kind = 'reversal') <> (r.reverses_key IS NOT NULL)
            OR r.amount <> t.amount OR r.source_key <> t.destination_key
            OR r.destination_key <> t.source_key
            OR EXISTS (SELECT 1 FROM transfers f WHERE f.reverses_key = r.reverses_key AND f.key < r.key)
        """,
    ),
    Check(
        "a key of a posting names a transfer or an act on a hold, or has chunks of a bulk",
        # The id is cut out of the path, not the path put together, so that the index on ids is used.
        """
        SELECT coalesce(k.location, k.caller) AS what, 0 AS actual, 1 AS expected
        FROM idempotency_keys k LEFT JOIN transfers t
            ON t.id = substr(k.location, length('/v1/transfers/') + 1, 30)
        WHERE k.body IS NULL AND (t.key IS NULL OR t.captured IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM hold_events e WHERE e.transfer_key = t.key AND e.actor = k.caller
                    AND k.location = '/v1/transfers/' || t.id || '#' || e.sequence)
            OR t.captured IS NULL AND k.location <> '/v1/transfers/' || t.id)
            AND NOT (k.location IS NULL AND EXISTS (
                SELECT 1 FROM bulk_chunks c WHERE c.caller = k.caller AND c.key = k.key))
            AND coalesce(k.location, '') NOT LIKE '/v1/authorizations/%'
        """,
    ),
    Check(
        "a key of an authorisation names one of its caller's, or an act of theirs on its hold",
        """
        SELECT k.location AS what, 0 AS actual, 1 AS expected
        FROM idempotency_keys k LEFT JOIN authorizations a
            ON a.id = substr(k.location, length('/v1/authorizations/') + 1, 30)
        WHERE k.body IS NULL AND k.location LIKE '/v1/authorizations/%' AND (a.key IS NULL
            OR a.hold_key IS NULL AND (
                k.location <> '/v1/authorizations/' || a.id OR a.initiated_by <> k.caller)
            OR a.hold_key IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM hold_events e WHERE e.transfer_key = a.hold_key AND e.actor = k.caller
                    AND k.location = '/v1/authorizations/' || a.id || '#' || e.sequence))
        """,
    ),
    Check(
        "an approved authorisation is a card payment's hold on the card's account, of its id and amount",
        """
        SELECT a.id AS what, count(h.key) AS actual, 1 AS expected
        FROM authorizations a JOIN cards c ON c.key = a.card_key
        LEFT JOIN hold_events e ON e.transfer_key = a.hold_key AND e.sequence = 1 AND e.amount = a.amount
        LEFT JOIN transfers h ON h.key = e.transfer_key AND h.kind = 'card_payment'
            AND h.source_key = c.account_key AND h.currency = a.currency
            AND substr(h.id, 5) = substr(a.id, 5)
        WHERE a.decline_reason IS NULL GROUP BY a.key, a.id HAVING count(h.key) <> 1
        """,
    ),
    Check(
        "a hold of a card payment is an authorisation",
        """
        SELECT h.id AS what, 0 AS actual, 1 AS expected
        FROM transfers h LEFT JOIN authorizations a ON a.hold_key = h.key
        WHERE h.kind = 'card_payment' AND h.captured IS NOT NULL AND a.key IS NULL
        """,
    ),
    Check(
        "a card refund is of an authorisation, of the same amount, from where its captures went",
        """
        SELECT t.id AS what, count(h.key) AS actual, 1 AS expected
        FROM transfers t LEFT JOIN card_refunds r ON r.transfer_key = t.key AND r.amount = t.amount
        LEFT JOIN authorizations a ON a.key = r.authorization_key
        LEFT JOIN transfers h ON h.key = a.hold_key AND h.destination_key = t.source_key
        WHERE t.kind = 'card_refund' GROUP BY t.key, t.id HAVING count(h.key) <> 1
        """,
    ),
    Check(
        "no more is given back of an authorisation than was captured",
        """
        SELECT a.id AS what, sum(r.amount) AS actual, h.captured AS expected
        FROM card_refunds r JOIN authorizations a ON a.key = r.authorization_key
        JOIN transfers h ON h.key = a.hold_key
        GROUP BY a.key, a.id, h.captured HAVING sum(r.amount) > h.captured
        """,
    ),
    Check(
        "an outcome in a bulk is a refusal or names a transfer of its caller",
        """
        SELECT coalesce(o.value ->> 'id', c.caller) AS what, 0 AS actual, 1 AS expected
        FROM bulk_chunks c CROSS JOIN {elements}(c.outcomes) AS o LEFT JOIN transfers t
            ON t.id = o.value ->> 'id' AND t.initiated_by = c.caller
        WHERE t.key IS NULL AND (o.value ->> 'id' IS NOT NULL OR o.value ->> 'code' IS NULL)
        """,
    ),
    Check(
        "a chunk of a bulk begins where the one before ends",
        """
        SELECT caller AS what, first AS actual, expected FROM (
            SELECT caller, first,
                coalesce(lag(first + json_array_length(outcomes)) OVER line, 0) AS expected
            FROM bulk_chunks WINDOW line AS (PARTITION BY caller, key ORDER BY first)
        ) AS chunks WHERE first <> expected
        """,
    ),
)


# What makes rows of a JSON array; both call the column `value`.
_ELEMENTS: Final = {"sqlite": "json_each", "postgresql": "json_array_elements"}


def offenders(session: Session, check: Check) -> Sequence[AnyRow]:
    """The rows that break a rule: `what` names one, `actual` and `expected` say how."""
    elements = _ELEMENTS[session.get_bind().dialect.name]
    return session.execute(text(check.query.format(elements=elements))).all()
