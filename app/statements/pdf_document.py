"""A PDF that is written page by page: what has been drawn is handed over and forgotten.

The library keeps every page until the end, uncompressed. Here a page becomes bytes as soon as it is
shown; only its place in the file is remembered. Drawings that are known last (how many pages there are)
are named early and drawn late.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from reportlab import rl_config
from reportlab.pdfbase import pdfdoc
from reportlab.pdfgen.canvas import Canvas

# Pages are bytes, and need not be written in printable characters.
rl_config.useA85 = 0
_WRITTEN: Final = pdfdoc.PDFName("Written")


class _Document(pdfdoc.PDFDocument):  # type: ignore[misc] # the library has no types
    """The library's document, with another way to the file."""

    def __init__(self, made_at: datetime, late: Sequence[str]) -> None:
        super().__init__(compression=1, invariant=1)
        # The same statement is the same file, byte for byte.
        self._timeStamp.t = int(made_at.timestamp())
        self._timeStamp.YMDhms = made_at.timetuple()[:6]
        self._file = pdfdoc.PDFFile(self._pdfVersion)
        for name in late:
            self._number(pdfdoc.xObjectName(name))

    def _number(self, name: str) -> None:
        self.objectcounter += 1
        self.idToObjectNumberAndVersion[name] = (self.objectcounter, 0)
        self.numberToId[self.objectcounter] = name

    def Reference(self, obj: Any, name: str | None = None) -> Any:  # noqa: N802 - the library's name
        known = self.idToObjectNumberAndVersion
        if name is None or name not in known or name in self.idToObject:
            return super().Reference(obj, name)
        # It was named before it was drawn, and keeps the number it has been called by.
        self.idToObject[name] = obj
        obj.__InternalName__ = name
        return pdfdoc.PDFObjectReference(name)

    def addPage(self, page: Any) -> None:  # noqa: N802 - the library's name
        name, first = self.thisPageName(), self.objectcounter + 1
        self.Reference(page, name)
        self.Pages.addPage(pdfdoc.PDFObjectReference(name))
        self.pageCounter += 1
        self.inObject = None
        self._write(name)
        # The content has come up while its page was written.
        for number in range(first, self.objectcounter + 1):
            if isinstance(self.idToObject[self.numberToId[number]], pdfdoc.PDFStream):
                self._write(self.numberToId[number])

    def _write(self, name: str) -> None:
        made = pdfdoc.PDFIndirectObject(name, self.idToObject[name]).format(self)
        self.idToOffset[name] = self._file.add(made)
        self.idToObject[name] = _WRITTEN

    def taken(self) -> bytes:
        """What has been written since it was asked last."""
        written = b"".join(self._file.strings)
        self._file.strings.clear()
        return written

    def end(self, canvas: Canvas) -> None:
        """Fonts, late drawings, the index of pages and objects."""
        for font in self.delayedFonts:
            font.addObjects(self)
        self.info.invariant = 1
        self.info.digest(self.signature)
        root, info = self.Reference(self.Catalog), self.Reference(self.info)
        self.Outlines.prepare(self, canvas)
        self.Catalog.Outlines = None
        number = 1
        # Writing one may name others.
        while number <= self.objectcounter:
            if self.idToObject[self.numberToId[number]] is not _WRITTEN:
                self._write(self.numberToId[number])
            number += 1
        index = pdfdoc.PDFCrossReferenceTable()
        index.addsection(0, [self.numberToId[one] for one in range(1, number)])
        place = self._file.add(index.format(self))
        trailer = pdfdoc.PDFTrailer(startxref=place, Size=number, Root=root, Info=info, ID=self.ID())
        self._file.add(trailer.format(self))


class Pages(Canvas):  # type: ignore[misc] # the library has no types
    """A canvas whose pages leave it. `late` names forms that are drawn at the end."""

    def __init__(self, size: tuple[float, float], made_at: datetime, title: str, late: Sequence[str]) -> None:
        super().__init__("", pagesize=size, pageCompression=1, invariant=1)
        self._doc = _Document(made_at, late)
        self.setTitle(title)
        self.setCreator("")
        self._doc.setProducer("banking-service")

    def taken(self) -> bytes:
        """The bytes of the pages that have been shown since it was asked last."""
        taken: bytes = self._doc.taken()
        return taken

    def end(self) -> bytes:
        """The rest of the file, after the last page."""
        self._doc.end(self)
        return self.taken()
