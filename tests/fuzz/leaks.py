"""Secrets, what they look like in other clothes, and where they are looked for."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.core.config import Settings
from app.db.unit_of_work import Database

# Every value that is put somewhere begins so: one search finds them all.
MARK = "zq7canary"
_MARKS = re.compile(MARK.encode() + rb"[0-9a-f]{8}")


def mark(number: int) -> str:
    """A value that occurs nowhere else."""
    return f"{MARK}{number:08x}"


def marks_in(content: bytes) -> set[str]:
    """The values that stand there as they are."""
    return {found.decode() for found in _MARKS.findall(content)}


def disguises(secret: str) -> set[bytes]:
    """The secret as Base64 at every offset, in hexadecimal, and escaped for URLs and JSON."""
    raw = secret.encode()
    found = {quote(secret, safe="").encode(), quote_plus(secret).encode(), raw.hex().encode()}
    found |= {raw.hex().upper().encode(), secret.encode("unicode_escape")}
    for offset in range(3):
        # The characters at both ends also depend on what stands beside the secret.
        whole = base64.b64encode(b"\0" * offset + raw).rstrip(b"=")
        inner = whole[offset and offset + 1 : len(whole) - 1]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return found - {raw}


def leaked(secrets: set[str], content: bytes) -> set[str]:
    """Which of the secrets stand in the content, in whatever form."""
    return {one for one in secrets if any(form in content for form in {one.encode(), *disguises(one)})}


def stored(settings: Settings, db: Database) -> bytes:
    """All that the database holds: its files, WAL and all, or every row of every table."""
    if settings.is_sqlite:
        folder: Path = settings.sqlite_path.parent
        return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
    return "\n".join(db.run_read(lambda session: list(_rows(session)))).encode()


def _rows(session: Session) -> Iterator[str]:
    tables = session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
    for name in tables:
        yield from session.scalars(text(f"SELECT CAST(one AS text) FROM {name} AS one"))


def breaking(settings: Settings, table: str) -> tuple[list[str], list[str]]:
    """Statements that make the table refuse every write, telling as much as they can; and back."""
    if not settings.is_sqlite:
        broken = f"ALTER TABLE {table} ADD CONSTRAINT broken CHECK (false) NOT VALID"
        return [broken], [f"ALTER TABLE {table} DROP CONSTRAINT broken"]
    verbs = ("INSERT", "UPDATE")
    triggers = [
        f"CREATE TRIGGER broken_{verb} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, 'broken'); END"
        for verb in verbs
    ]
    return triggers, [f"DROP TRIGGER broken_{verb}" for verb in verbs]
