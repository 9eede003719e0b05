"""Statements read back by programs that others wrote, each into the same few facts."""

import csv
import importlib.util
import io
import re
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import mt940
import pyiso20022
import pypdfium2 as pdfium
import quiffen
from ofxtools.Parser import OFXTree
from pyiso20022.camt.camt_053_001_08 import Document
from xsdata.formats.dataclass.parsers import XmlParser
from xsdata.formats.dataclass.serializers import XmlSerializer


@dataclass
class Read:
    """What a reader found; None where a format has no place for it. Amounts are major units."""

    entries: list[Decimal]
    opening: Decimal | None = None
    closing: Decimal | None = None
    currency: str | None = None
    account: str | None = None
    ids: list[str] | None = None
    descriptions: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    days: list[date] = field(default_factory=list)
    value_dates: list[date] | None = None


def of_csv(content: bytes) -> Read:
    lines = list(csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True))
    amounts = [Decimal(one["amount"]) for one in lines]
    balances = [Decimal(one["balance_after"]) for one in lines]
    return Read(
        entries=amounts,
        opening=balances[0] - amounts[0] if lines else None,
        closing=balances[-1] if lines else None,
        currency=lines[0]["currency"] if lines else None,
        ids=[one["id"] for one in lines],
        descriptions=[one["description"] for one in lines],
        others=[one["counterparty_name"] for one in lines],
        value_dates=[date.fromisoformat(one["value_date"]) for one in lines],
    )


def of_camt(content: bytes) -> Read:
    document = XmlParser().from_bytes(content, Document)
    judged = _validation().ISO20022Validator().validate_message(document)
    assert judged.is_valid, str(judged)
    # The classes write their elements in the schema's order: so did we.
    again = XmlSerializer().render(document, ns_map={None: "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"})
    assert _tags(again.encode()) == _tags(content)
    [statement] = document.bk_to_cstmr_stmt.stmt
    balances = {one.tp.cd_or_prtry.cd: _signed(one) for one in statement.bal}
    details = [one.ntry_dtls[0].tx_dtls[0] for one in statement.ntry]
    others = [one.rltd_pties.cdtr or one.rltd_pties.dbtr for one in details]
    assert int(statement.txs_summry.ttl_ntries.nb_of_ntries) == len(statement.ntry)
    return Read(
        entries=[_signed(one) for one in statement.ntry],
        opening=balances["OPBD"],
        closing=balances["CLBD"],
        currency=statement.acct.ccy,
        account=statement.acct.id.othr.id,
        ids=[one.ntry_ref for one in statement.ntry],
        descriptions=["".join(one.rmt_inf.ustrd) if one.rmt_inf else "" for one in details],
        others=[one.pty.nm for one in others],
        value_dates=[date.fromisoformat(str(one.val_dt.dt)) for one in statement.ntry],
    )


def _validation() -> ModuleType:
    """The validator of the library, without the neighbours that it is imported with."""
    path = Path(pyiso20022.__path__[0]) / "tools" / "validation.py"
    spec = importlib.util.spec_from_file_location("camt_validation", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _tags(content: bytes) -> list[str]:
    return [one.tag for one in ElementTree.fromstring(content).iter()]


def _signed(told: Any) -> Decimal:
    amount = Decimal(told.amt.value)
    return -amount if told.cdt_dbt_ind.value == "DBIT" else amount


def of_mt940(content: bytes) -> Read:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = mt940.parse(content.decode("ascii"))
    return Read(
        entries=[one.data["amount"].amount for one in read],
        opening=read.data["final_opening_balance"].amount.amount,
        closing=read.data["final_closing_balance"].amount.amount,
        currency=read.data["final_opening_balance"].amount.currency,
        account=read.data["account_identification"],
        ids=[one.data["bank_reference"] for one in read],
        descriptions=[one.data["transaction_details"].replace("\n", "") for one in read],
        days=[one.data["entry_date"] for one in read],
        value_dates=[date(*one.data["date"].timetuple()[:3]) for one in read],
    )


def of_ofx(content: bytes) -> Read:
    tree = OFXTree()
    tree.parse(io.BytesIO(content))
    [statement] = tree.convert().statements
    [opening] = statement.ballist
    lines = statement.banktranlist
    return Read(
        entries=[one.trnamt for one in lines],
        opening=opening.value,
        closing=statement.ledgerbal.balamt,
        currency=statement.curdef,
        account=statement.bankacctfrom.acctid,
        ids=[one.fitid for one in lines],
        descriptions=[one.memo or "" for one in lines],
        others=[one.name for one in lines],
        value_dates=[one.dtavail.date() for one in lines],
    )


def of_qif(content: bytes) -> Read:
    with tempfile.NamedTemporaryFile(suffix=".qif") as file:
        file.write(content.decode("ascii").replace("\r\n", "\n").encode())
        file.flush()
        read = quiffen.Qif.parse(Path(file.name))
    [(number, account)] = read.accounts.items()
    # The library lists what it has read newest last, under the kind of account.
    lines = [one for kind in account.transactions.values() for one in kind]
    return Read(
        entries=[one.amount for one in lines],
        closing=account.balance,
        account=number,
        descriptions=[one.memo or "" for one in lines],
        others=[one.payee or "" for one in lines],
        days=[one.date.date() for one in lines],
    )


_ENTRY = re.compile(r"(\d\d \w{3} \d{4}) (.+) (\d\d \w{3} \d{4}) (-?[\d.]+) (-?[\d.]+)")


def pages_of(content: bytes) -> list[str]:
    """The text of each page of a PDF, as the engine of a browser reads it."""
    with pdfium.PdfDocument(content) as document:
        texts = []
        for page in document:
            text = page.get_textpage()
            texts.append(text.get_text_bounded().replace("\r\n", "\n"))
            text.close()
            page.close()
        return texts


def of_pdf(content: bytes) -> Read:
    pages = pages_of(content)
    lines = [line for page in pages for line in page.splitlines()]
    entries = [found for line in lines if (found := _ENTRY.fullmatch(line))]
    balances = {
        label: next(line.removeprefix(label) for line in lines if re.fullmatch(rf"{label} -?[\d.]+", line))
        for label in ("Opening balance", "Closing balance")
    }
    title = next(line for line in lines if line.startswith("Date Details"))
    return Read(
        entries=[Decimal(one[4]) for one in entries],
        opening=Decimal(balances["Opening balance"]),
        closing=Decimal(balances["Closing balance"]),
        currency=title.partition("(")[2][:3],
        account=lines[-1].partition("Account ")[2],
        descriptions=[pages[0]],
        days=[datetime.strptime(one[1], "%d %b %Y").date() for one in entries],
        value_dates=[datetime.strptime(one[3], "%d %b %Y").date() for one in entries],
    )


READERS: dict[str, Callable[[bytes], Read]] = {
    "csv": of_csv,
    "camt.053": of_camt,
    "mt940": of_mt940,
    "ofx": of_ofx,
    "qif": of_qif,
    "pdf": of_pdf,
}
