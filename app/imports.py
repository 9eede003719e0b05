"""Transfers from a file, through the same ledger as everybody's: `bank import transfers.csv`.

The file is posted in chunks under one key, which is its name; what a chunk came to is in its commit. So
an interrupted import continues when the same command is given again, and nothing is posted twice.
"""

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from app.api.v1.transfers import command_of
from app.core.caller import Caller
from app.core.errors import BankingError
from app.db.unit_of_work import Database
from app.ledger.commands import GroupPosted, Key, Posted, PostGroup
from app.ledger.posting import Ledger, Result
from app.schemas.transfers import TransferIn

COLUMNS: Final = (
    "source_account_id",
    "destination_account_id",
    "destination_account_number",
    "amount",
    "currency",
    "description",
    "external_id",
)
# A chunk that has been posted is found by its place: another size would post it again.
_CHUNK: Final = 1_000
# With a word before it, a name is an idempotency key.
_LONGEST_NAME: Final = 200
_RESULT: Final = ("line", "status", "transfer_id", "error")


class WrongFile(Exception):
    """What is wrong with a file, line by line. Nothing of it has been posted."""


@dataclass(frozen=True, slots=True)
class TransferFile:
    """The transfers of a file, in its order; the first is on line 2."""

    name: str
    digest: bytes
    transfers: Sequence[TransferIn]


def read(path: Path, name: str | None = None) -> TransferFile:
    """Reads the whole file before anything is posted; WrongFile tells the first faults of all lines.

    `name` is what the import is known by; without it, the file's own.
    """
    known_as = name or path.name
    if len(known_as) > _LONGEST_NAME:
        raise WrongFile(f"The name of an import has at most {_LONGEST_NAME} characters.")
    content = path.read_bytes()
    lines = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
    unknown = set(lines.fieldnames or ()) - set(COLUMNS)
    missing = {"source_account_id", "amount", "currency"} - set(lines.fieldnames or ())
    if unknown or missing:
        raise WrongFile(f"The first line names the columns, out of: {', '.join(COLUMNS)}.")
    transfers, faults = [], []
    try:
        for line in lines:
            try:
                transfers.append(_transfer(line))
            except ValueError as error:
                faults.append(f"line {lines.line_num}: {_fault(error)}")
    except csv.Error as error:
        raise WrongFile(f"line {lines.line_num}: {error}") from None
    if faults:
        raise WrongFile("\n".join(faults[:20]))
    return TransferFile(known_as, hashlib.sha256(content).digest(), transfers)


def _transfer(line: dict[str, Any]) -> TransferIn:
    if None in line or None in line.values():
        raise ValueError("not as many values as columns")
    amount = line["amount"]
    if not (amount.isascii() and amount.isdigit()):
        raise ValueError("amount: whole minor units, in digits")
    return TransferIn.model_validate(
        {name: value for name, value in line.items() if value} | {"amount": int(amount[:20])}
    )


def _fault(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


def post(
    db: Database, ledger: Ledger, caller: Caller, file: TransferFile
) -> Iterator[Sequence[Posted | BankingError]]:
    """Posts chunk after chunk, and tells what each came to. Raises what stops it; go on with the same file.

    IdempotencyKeyReused: an import of this name had another content.
    """
    key = Key(f"import {file.name}", file.digest)
    for first in range(0, len(file.transfers), _CHUNK):
        chunk = [command_of(one, caller, None) for one in file.transfers[first : first + _CHUNK]]
        done: Sequence[Result] = db.run_batch(
            ledger.post, [PostGroup(caller, key, first, chunk, atomic=False)]
        )
        yield _outcomes(done[0])


def _outcomes(done: Result) -> Sequence[Posted | BankingError]:
    if isinstance(done, BankingError):
        raise done
    assert isinstance(done, GroupPosted)
    return done.outcomes


def write_results(path: Path, outcomes: Sequence[Posted | BankingError]) -> None:
    """A line for each transfer: its line in the file, `posted` or `refused`, and which or why."""
    draft = path.with_name(f"{path.name}.draft")
    with draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_RESULT)
        for line, outcome in enumerate(outcomes, 2):
            if isinstance(outcome, Posted):
                writer.writerow((line, "posted", outcome.row["id"], ""))
            else:
                writer.writerow((line, "refused", "", outcome.code))
    draft.replace(path)
