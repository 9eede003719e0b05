"""The balance over the time of a statement, as a line of steps: as many points as can be seen."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from reportlab.lib.colors import Color
from reportlab.pdfgen.canvas import Canvas

from app.core import clock
from app.statements.statement import Head

# Of a width of 500 points, one every two.
_PLACES: Final = 250


class Curve:
    """Takes every balance, keeps the least, the greatest and the last of each place."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._start = clock.to_micros(head.start)
        # A month that has not ended is drawn so far.
        end = clock.to_micros(max(head.start, min(head.end, head.made_at)))
        self._length = max(1, end - self._start)
        self._places: dict[int, tuple[int, int, int]] = {}

    def add(self, at: datetime, balance: int) -> None:
        """The balance after an entry; they come in the order of time."""
        place = min(_PLACES - 1, (clock.to_micros(at) - self._start) * _PLACES // self._length)
        least, greatest, _ = self._places.get(place, (balance, balance, balance))
        self._places[place] = min(least, balance), max(greatest, balance), balance

    def draw(
        self, canvas: Canvas, size: tuple[float, float], colours: tuple[Color, Color], font: str
    ) -> None:
        """The line, the highest and the lowest balance beside it, and the zero line where it is crossed."""
        width, height = size
        ink, faint = colours
        head = self._head
        values = [head.opening, *(one for three in self._places.values() for one in three)]
        least, greatest = min(values), max(values)
        if least == greatest:
            # A balance that never moved is a line in the middle.
            least, greatest = least - 1, greatest + 1
        labels = [(height, max(values)), (0.0, min(values))][: 1 + (min(values) != max(values))]
        canvas.setFont(font, 6.5)
        room = max(canvas.stringWidth(head.money(amount), font, 6.5) for _, amount in labels) + 8
        canvas.setStrokeColor(faint)
        canvas.setLineWidth(0.4)
        for y in (0.0, height):
            canvas.line(0, y, width - room, y)

        def y_of(balance: int) -> float:
            return height * (balance - least) / (greatest - least)

        if least < 0 < greatest:
            canvas.setDash(2, 2)
            canvas.line(0, y_of(0), width - room, y_of(0))
            canvas.setDash()
        canvas.setFillColor(ink)
        for y, amount in labels:
            canvas.drawRightString(width, (y if len(labels) > 1 else height / 2) - 2.2, head.money(amount))
        self._draw_line(canvas, width - room, y_of, ink)
        for x, day, draw in (
            (0.0, head.first_day, canvas.drawString),
            (width - room, head.last_day, canvas.drawRightString),
        ):
            draw(x, -9, day.isoformat())

    def _draw_line(self, canvas: Canvas, width: float, y_of: Callable[[int], float], ink: Color) -> None:
        path = canvas.beginPath()
        path.moveTo(0, y_of(self._head.opening))
        last = self._head.opening
        for place, (least, greatest, after) in self._places.items():
            x = width * place / _PLACES
            for balance in (last, least, greatest, after):
                path.lineTo(x, y_of(balance))
            last = after
        path.lineTo(width, y_of(last))
        canvas.setStrokeColor(ink)
        canvas.setLineWidth(1)
        canvas.drawPath(path)
