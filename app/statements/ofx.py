"""OFX 2.2, which programs for personal finance import: XML with a header of its own.

The format has no balance before a period; it is told among the balances (`BALLIST`).
"""

from collections.abc import Iterator
from datetime import UTC, datetime, time
from typing import Final

from app.statements.statement import Head, Line
from app.statements.xml_text import element, text

_PROLOGUE: Final = (
    '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'
    '<?OFX OFXHEADER="200" VERSION="220" SECURITY="NONE" OLDFILEUID="NONE" NEWFILEUID="NONE"?>\n'
)
_DONE: Final = element("STATUS", element("CODE", "0"), element("SEVERITY", "INFO"))
_KINDS: Final = {
    "deposit": "DEP",
    "withdrawal": "CASH",
    "transfer": "XFER",
    "fee": "FEE",
    "interest": "INT",
    "card_payment": "POS",
}


def write(head: Head, lines: Iterator[Line]) -> Iterator[str]:
    """One answer to one request for a statement."""
    yield _PROLOGUE + "<OFX>"
    yield element(
        "SIGNONMSGSRSV1",
        element("SONRS", _DONE, element("DTSERVER", _instant(head.made_at)), element("LANGUAGE", "ENG")),
    )
    yield f"<BANKMSGSRSV1><STMTTRNRS><TRNUID>0</TRNUID>{_DONE}<STMTRS>"
    yield element("CURDEF", head.currency.code)
    yield element(
        "BANKACCTFROM",
        element("BANKID", "0"),
        element("ACCTID", text(head.account_number)),
        element("ACCTTYPE", head.account_kind.upper()),
    )
    yield "<BANKTRANLIST>"
    yield element("DTSTART", _instant(head.start)) + element("DTEND", _instant(head.end))
    for line in lines:
        yield _entry(head, line)
    yield "</BANKTRANLIST>"
    yield element(
        "LEDGERBAL",
        element("BALAMT", head.money(head.closing)),
        element("DTASOF", _instant(head.end)),
    )
    yield element("BALLIST", _opening(head))
    yield "</STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>\n"


def _instant(instant: datetime) -> str:
    """`20260201093000.000[0:GMT]`: the format knows milliseconds."""
    at = instant.astimezone(UTC)
    return f"{at.year:04}{at:%m%d%H%M%S}.{at.microsecond // 1000:03}[0:GMT]"


def _entry(head: Head, line: Line) -> str:
    other = " ".join(part for part in (line.other_name, line.other_number) if part)
    kind = _KINDS.get(line.kind, "DEBIT" if line.amount < 0 else "CREDIT")
    available = datetime.combine(line.value_date, time(), UTC)
    return element(
        "STMTTRN",
        element("TRNTYPE", kind),
        element("DTPOSTED", _instant(line.booked_at)),
        element("DTAVAIL", _instant(available)),
        element("TRNAMT", head.money(line.amount)),
        element("FITID", line.id),
        element("NAME", text(other, 32)),
        element("MEMO", text(line.description)),
    )


def _opening(head: Head) -> str:
    return element(
        "BAL",
        element("NAME", "Opening balance"),
        element("DESC", "The balance before the first entry"),
        element("BALTYPE", "NUMBER"),
        element("VALUE", head.money(head.opening)),
        element("DTASOF", _instant(head.start)),
    )
