"""ISO 20022 camt.053.001.08, the statement that a bank sends to its customer.

Names and orders of elements are those of the message's schema. Booked entries only; amounts are
unsigned, with their direction beside them.
"""

from collections.abc import Iterator
from datetime import date
from typing import Final

from app.core import clock
from app.statements.statement import Head, Line
from app.statements.xml_text import element, text

NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
_PROLOGUE: Final = f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{NAMESPACE}"><BkToCstmrStmt>'


def write(head: Head, lines: Iterator[Line]) -> Iterator[str]:
    """One message with one statement."""
    made = element("CreDtTm", clock.rfc3339(head.made_at))
    yield _PROLOGUE + element("GrpHdr", element("MsgId", text(head.reference)), made)
    yield "<Stmt>" + element("Id", text(head.reference))
    yield element("ElctrncSeqNb", "" if head.number is None else str(head.number)) + made
    yield element(
        "FrToDt",
        element("FrDtTm", clock.rfc3339(head.start)),
        element("ToDtTm", clock.rfc3339(head.end)),
    )
    yield element(
        "Acct",
        element("Id", element("Othr", element("Id", text(head.account_number)))),
        element("Ccy", head.currency.code),
        element("Ownr", element("Nm", text(head.holder_name, 140))),
    )
    yield _balance(head, "OPBD", head.opening, head.first_day)
    yield _balance(head, "CLBD", head.closing, head.last_day)
    yield _summary(head)
    for line in lines:
        yield _entry(head, line)
    yield "</Stmt></BkToCstmrStmt></Document>\n"


def _amount(head: Head, amount: int) -> str:
    return element("Amt", head.money(abs(amount)), Ccy=head.currency.code) + _direction(amount)


def _direction(amount: int) -> str:
    return element("CdtDbtInd", "DBIT" if amount < 0 else "CRDT")


def _balance(head: Head, code: str, amount: int, day: date) -> str:
    return element(
        "Bal",
        element("Tp", element("CdOrPrtry", element("Cd", code))),
        _amount(head, amount),
        element("Dt", element("Dt", day.isoformat())),
    )


def _summary(head: Head) -> str:
    net = head.closing - head.opening
    return element(
        "TxsSummry",
        element(
            "TtlNtries",
            element("NbOfNtries", str(head.count)),
            element("Sum", head.money(head.total_in + head.total_out)),
            element("TtlNetNtry", element("Amt", head.money(abs(net))), _direction(net)),
        ),
        element("TtlCdtNtries", element("Sum", head.money(head.total_in))),
        element("TtlDbtNtries", element("Sum", head.money(head.total_out))),
    )


def _entry(head: Head, line: Line) -> str:
    return element(
        "Ntry",
        element("NtryRef", line.id),
        _amount(head, line.amount),
        element("RvslInd", "true" if line.kind == "reversal" else ""),
        element("Sts", element("Cd", "BOOK")),
        element("BookgDt", element("DtTm", clock.rfc3339(line.booked_at))),
        element("ValDt", element("Dt", line.value_date.isoformat())),
        element("AcctSvcrRef", line.id),
        element("BkTxCd", element("Prtry", element("Cd", line.kind))),
        element(
            "NtryDtls",
            element(
                "TxDtls",
                element("RltdPties", _other_side(line)),
                element("RmtInf", element("Ustrd", text(line.description, 140))),
            ),
        ),
    )


def _other_side(line: Line) -> str:
    """Who was paid, or who paid."""
    role = "Cdtr" if line.amount < 0 else "Dbtr"
    party = element(role, element("Pty", element("Nm", text(line.other_name, 140))))
    number = element("Id", element("Othr", element("Id", text(line.other_number))))
    return party + element(f"{role}Acct", number if line.other_number else "")
