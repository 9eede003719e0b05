"""Every format: what it is called, its media type, the end of its file names, and who writes it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from app.statements import camt053, csv_text, json_text, mt940, ofx, pdf, qif
from app.statements.statement import Head, Line

# Few enough bytes to hold, and enough of them to be worth a turn.
_CHUNK: Final = 64 * 1024
_PAGES: Final = 8 * 1024


@dataclass(frozen=True, slots=True)
class Format:
    """A way to write a statement."""

    name: str
    media_type: str
    suffix: str
    write: Callable[[Head, Iterator[Line]], Iterable[str | bytes]]
    charset: str | None = None
    # Where a piece takes long to make, others wait for fewer of them.
    chunk: int | None = None

    @property
    def content_type(self) -> str:
        return f"{self.media_type}; charset={self.charset}" if self.charset else self.media_type

    def encode(self, head: Head, lines: Iterator[Line]) -> Iterator[bytes]:
        """The file, in chunks of some 64 KiB (PDF: 8 KiB)."""
        size = self.chunk or _CHUNK
        chunk = bytearray()
        for piece in self.write(head, lines):
            chunk += piece.encode() if isinstance(piece, str) else piece
            if len(chunk) >= size:
                yield bytes(chunk)
                chunk.clear()
        yield bytes(chunk)

    def file_name(self, head: Head) -> str:
        """`statement-123456789012-2026-02.csv`."""
        return f"statement-{head.account_number}-{head.period}.{self.suffix}"


PDF_ON_LETTER: Final = Format("pdf", "application/pdf", "pdf", pdf.on_letter, chunk=_PAGES)
CANONICAL_JSON: Final = Format("json", "application/json", "json", json_text.write_canonical)
FORMATS: Final = {
    one.name: one
    for one in (
        Format("json", "application/json", "json", json_text.write),
        Format("csv", "text/csv", "csv", csv_text.write, "utf-8"),
        Format("pdf", "application/pdf", "pdf", pdf.on_a4, chunk=_PAGES),
        Format("camt.053", "application/xml", "camt.053.xml", camt053.write),
        Format("ofx", "application/x-ofx", "ofx", ofx.write),
        Format("qif", "application/x-qif", "qif", qif.write),
        Format("mt940", "application/x-mt940", "mt940", mt940.write),
    )
}
