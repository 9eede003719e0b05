"""PDF, as a bank would send it: A4 or Letter, drawn line by line with fonts that are in the file.

Text is only ever drawn, so no mark-up in it means anything. Characters that the fonts lack (of Chinese,
Japanese, Korean and Indic scripts, and emoji) are shown as U+FFFD, one for each.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.pagesizes import A4, LETTER

from app.statements.chart import Curve
from app.statements.pdf_document import Pages
from app.statements.pdf_text import BOLD, PLAIN, glyphs, shortened, width_of, wrapped
from app.statements.script import shaped, visual
from app.statements.statement import Head, Line

_INK, _GREY, _RULE = HexColor(0x1C1C1C), HexColor(0x666666), HexColor(0xD4D8DD)
_ACCENT, _SHADE = HexColor(0x1F4E79), HexColor(0xF3F5F8)
_SIDE, _TOP, _BOTTOM = 48, 46, 62
_SIZE, _LEADING = 8.0, 10.5
_CHART_HEIGHT: Final = 74
# Between groups of digits, in heights of a letter: to be seen, and not to be read as a space.
_GAP: Final = 0.13
_TOTAL, _CHART = "pages", "chart"
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_TITLES: Final = {
    "deposit": "Deposit",
    "withdrawal": "Withdrawal",
    "reversal": "Reversal",
    "fee": "Fee",
    "interest": "Interest",
    "card_payment": "Card payment",
    "card_refund": "Card refund",
}


def on_a4(head: Head, lines: Iterator[Line]) -> Iterator[bytes]:
    """Pages of 210 by 297 millimetres."""
    return _write(head, lines, A4)


def on_letter(head: Head, lines: Iterator[Line]) -> Iterator[bytes]:
    """Pages of 8.5 by 11 inches."""
    return _write(head, lines, LETTER)


def _write(head: Head, lines: Iterator[Line], size: tuple[float, float]) -> Iterator[bytes]:
    sheet = _Sheet(head, size)
    sheet.first_page()
    for line in lines:
        details = sheet.details(line)
        if not sheet.has_room(sheet.height(details)):
            sheet.turn()
            yield sheet.pages.taken()
        sheet.entry(line, details)
    sheet.close()
    yield sheet.pages.end()


def _long(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def _short(day: date) -> str:
    return f"{day.day:02} {_MONTHS[day.month - 1][:3]} {day.year}"


def _period(head: Head) -> str:
    return f"{_long(head.first_day)} – {_long(head.last_day)}"


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where the columns of the entries are; figures end at their x."""

    booked: float
    details: float
    details_width: float
    value: float
    moved: float
    after: float
    figure_width: float


class _Sheet:
    """The page that is being drawn; `y` is how far it has come, from the bottom."""

    def __init__(self, head: Head, size: tuple[float, float]) -> None:
        self._glyphs = glyphs()
        self._head = head
        self._width, self._height = size
        self._right = self._width - _SIDE
        self.pages = Pages(size, head.made_at, f"Statement {head.reference}", (_TOTAL, _CHART))
        self._number = 1
        self._balance = head.opening
        self._curve = Curve(head)
        self.y = self._height - _TOP
        figure = (self._width - 2 * _SIDE) * 0.17
        self._columns = _Columns(
            booked=_SIDE,
            details=_SIDE + 58,
            details_width=self._right - 2 * figure - 64 - (_SIDE + 58) - 8,
            value=self._right - 2 * figure - 60,
            moved=self._right - figure,
            after=self._right,
            figure_width=figure - 6,
        )

    # What is drawn with

    def text(
        self,
        x: float,
        y: float,
        *parts: str,
        size: float = _SIZE,
        bold: bool = False,
        colour: Color = _INK,
        right: bool = False,
    ) -> None:
        """A line of text from x, or up to it; smaller where it would leave the page.

        Each part has a direction of its own, so that a name does not turn what stands beside it.
        """
        font = BOLD if bold else PLAIN
        shown = " ".join(visual(shaped(part, self._glyphs)) for part in parts)
        room = (x - _SIDE if right else self._right - x) or 1
        width = width_of(shown, font, size)
        if width > room:
            size, width = size * room / width, room
        self.pages.setFillColor(colour)
        self.pages.setFont(font, size)
        self.pages.drawString(x - width if right else x, y, shown)

    def figure(self, x: float, y: float, amount: int, *, size: float = _SIZE, bold: bool = False) -> None:
        """An amount that ends at x; groups of three digits stand a little apart, with nothing between."""
        font = BOLD if bold else PLAIN
        sign, digits = ("-", self._head.money(-amount)) if amount < 0 else ("", self._head.money(amount))
        whole, point, rest = digits.partition(".")
        first = len(whole) % 3 or 3
        groups = [sign + whole[:first], *(whole[at : at + 3] for at in range(first, len(whole), 3))]
        groups[-1] += point + rest

        def width_at(size: float) -> float:
            return width_of("".join(groups), font, size) + (len(groups) - 1) * size * _GAP

        room = self._columns.figure_width * size / _SIZE
        size = min(size, size * room / width_at(size))
        place = x - width_at(size)
        self.pages.setFillColor(_INK)
        self.pages.setFont(font, size)
        for group in groups:
            self.pages.drawString(place, y, group)
            place += width_of(group, font, size) + size * _GAP

    def rule(self, y: float, colour: Color = _RULE, width: float = 0.5) -> None:
        """A line from side to side."""
        self.pages.setStrokeColor(colour)
        self.pages.setLineWidth(width)
        self.pages.line(_SIDE, y, self._right, y)

    # Pages

    def first_page(self) -> None:
        """The first page, down to its entries."""
        head = self._head
        if head.issuer:
            self.text(_SIDE, self.y - 4, head.issuer, size=11, bold=True)
            self.y -= 26
        self.text(_SIDE, self.y - 4, "Account statement", size=17, bold=True, colour=_ACCENT)
        self.text(self._right, self.y - 4, _period(head), size=10, right=True, colour=_GREY)
        self.y -= 16
        self.rule(self.y, _ACCENT, 1.2)
        self.y -= 22
        self._facts()
        self._summary()
        self.pages.saveState()
        self.pages.translate(_SIDE, self.y - _CHART_HEIGHT)
        self.pages.doForm(_CHART)
        self.pages.restoreState()
        self.y -= _CHART_HEIGHT + 34
        self._titles()
        self._carry("Opening balance", head.opening)

    def _facts(self) -> None:
        head = self._head
        self.text(_SIDE, self.y, head.holder_name, size=11.5, bold=True)
        number = " ".join(head.account_number[at : at + 4] for at in range(0, len(head.account_number), 4))
        facts = [
            ("Account number", number),
            ("Account", f"{head.account_kind.capitalize()} in {head.currency.code} ({head.currency.name})"),
            ("Made on", _long(head.day_of(head.made_at))),
        ]
        if head.number is not None:
            facts.insert(0, ("Statement", f"No. {head.number}"))
        self.y -= 18
        for label, value in facts:
            self.text(_SIDE, self.y, label, colour=_GREY)
            self.text(_SIDE + 92, self.y, value)
            self.y -= 12.5
        self.y -= 8

    def _summary(self) -> None:
        head = self._head
        cells = (
            ("Opening balance", head.opening),
            ("Money in", head.total_in),
            ("Money out", -head.total_out),
            ("Closing balance", head.closing),
        )
        height, width = 42, (self._right - _SIDE) / len(cells)
        self.pages.setFillColor(_SHADE)
        self.pages.roundRect(_SIDE, self.y - height, self._right - _SIDE, height, 4, stroke=0, fill=1)
        for place, (label, amount) in enumerate(cells):
            x = _SIDE + (place + 1) * width - 12
            self.text(x, self.y - 15, label, size=7.5, colour=_GREY, right=True)
            self.figure(x, self.y - 32, amount, size=10.5, bold=True)
        self.y -= height + 16

    def _titles(self) -> None:
        columns = self._columns
        for x, title, right in (
            (columns.booked, "Date", False),
            (columns.details, "Details", False),
            (columns.value, "Value date", False),
            (columns.moved, f"Amount ({self._head.currency.code})", True),
            (columns.after, "Balance", True),
        ):
            self.text(x, self.y, title, size=7.5, bold=True, colour=_ACCENT, right=right)
        self.y -= 5
        self.rule(self.y, _ACCENT, 0.8)
        self.y -= 12

    def _carry(self, label: str, balance: int) -> None:
        """A line that only has a balance."""
        self.text(self._columns.details, self.y, label, bold=True)
        self.figure(self._columns.after, self.y, balance, bold=True)
        self.y -= 5.5
        self.rule(self.y)
        self.y -= _LEADING + 1.5

    def has_room(self, height: float) -> bool:
        """Whether that fits above the foot and the line that carries the balance over."""
        return self.y - height > _BOTTOM + 2 * _LEADING

    def turn(self) -> None:
        """The end of this page, and the beginning of the next."""
        self._carry("Carried forward", self._balance)
        self._foot()
        self.pages.showPage()
        self._number += 1
        self.y = self._height - _TOP
        head = self._head
        self.text(_SIDE, self.y, head.holder_name, bold=True)
        self.text(self._right, self.y, _period(head), colour=_GREY, right=True)
        self.y -= 24
        self._titles()
        self._carry("Brought forward", self._balance)

    def _foot(self) -> None:
        head = self._head
        y = _BOTTOM - 26
        self.rule(y + 13)
        issuer = [f"{head.issuer} ·"] if head.issuer else []
        account = f"Account {head.account_number}"
        self.text(self._right, y, *issuer, account, size=7, colour=_GREY, right=True)
        page = f"Page {self._number} of "
        self.text(_SIDE, y, page, size=7, colour=_GREY)
        # How many there will be is drawn when it is known.
        self.pages.saveState()
        self.pages.translate(_SIDE + width_of(page, PLAIN, 7), y)
        self.pages.doForm(_TOTAL)
        self.pages.restoreState()

    # Entries

    def details(self, line: Line) -> list[tuple[str, ...]]:
        """What an entry is called, and its description, as lines of the column."""
        title: tuple[str, ...] = (
            _TITLES.get(line.kind) or f"Transfer {'to' if line.amount < 0 else 'from'}",
        )
        if line.other_number is not None:
            left = self._columns.details_width - width_of(f"{title[0]}  {line.other_number}", BOLD, _SIZE)
            name = shortened(line.other_name, left, lambda text: width_of(text, BOLD, _SIZE))
            title += (name, line.other_number)
        described = shaped(line.description or "", self._glyphs)
        width = self._columns.details_width
        return [title, *((one,) for one in wrapped(described, width, self._measured))]

    def _measured(self, text: str) -> float:
        return width_of(text, PLAIN, _SIZE)

    def height(self, details: Sequence[object]) -> float:
        return len(details) * _LEADING + 7

    def entry(self, line: Line, details: list[tuple[str, ...]]) -> None:
        """One entry: what happened, when, how much, and the balance after it."""
        columns = self._columns
        self._balance = line.balance_after
        self._curve.add(line.booked_at, line.balance_after)
        self.text(columns.booked, self.y, _short(self._head.day_of(line.booked_at)))
        self.text(columns.value, self.y, _short(line.value_date), colour=_GREY)
        self.figure(columns.moved, self.y, line.amount)
        self.figure(columns.after, self.y, line.balance_after)
        title, *described = details
        self.text(columns.details, self.y, *title, bold=True)
        for text in described:
            self.y -= _LEADING
            self.text(columns.details, self.y, *text, colour=_GREY)
        self.y -= 5.5
        self.rule(self.y)
        self.y -= _LEADING + 1.5

    def close(self) -> None:
        """The end of the last page, and what is only known now."""
        head = self._head
        if not self.has_room(3 * _LEADING):
            self.turn()
        self._carry("Closing balance", head.closing)
        counted = "1 entry" if head.count == 1 else f"{head.count} entries"
        note = f"{counted}. Days are those of {head.zone}. Amounts that are only reserved are not shown."
        self.text(_SIDE, self.y - 2, note, size=7, colour=_GREY)
        self._foot()
        self.pages.showPage()
        self._draw_total()
        self._draw_chart()

    def _draw_total(self) -> None:
        self.pages.beginForm(_TOTAL, 0, -4, 60, 12)
        self.pages.setFillColor(_GREY)
        self.pages.setFont(PLAIN, 7)
        self.pages.drawString(0, 0, str(self._number))
        self.pages.endForm()

    def _draw_chart(self) -> None:
        width = self._right - _SIDE
        self.pages.beginForm(_CHART, 0, -14, width, _CHART_HEIGHT + 10)
        self._curve.draw(self.pages, (width, _CHART_HEIGHT), (_ACCENT, _RULE), PLAIN)
        self.pages.endForm()
