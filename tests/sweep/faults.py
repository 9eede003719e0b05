"""Faults at each statement and each COMMIT that a request comes to, on the connections of a running service.

What fails is real wherever it can be: a connection is closed under SQLAlchemy's hands, and what the
database refuses it refuses itself, in the transaction of the request.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.engine import Connection

from app.db.unit_of_work import Database
from tests import scratch

STATEMENT: Final = "statement"
COMMIT: Final = "COMMIT"


class Crash(Exception):
    """Not an error of the service, nor of the database."""


@dataclass(frozen=True)
class Point:
    """Where a request can be hit: a statement, or the COMMIT of a unit of work."""

    moment: str
    writes: bool
    statement: str = ""


@dataclass(frozen=True)
class Fault:
    """`strike` fails, or makes what comes next fail. `lasting`: so does everything after it."""

    name: str
    strike: Callable[[Connection, str], None]
    lasting: bool = False
    # Strikes when a COMMIT has taken effect.
    after: bool = False
    # SQLSTATE that PostgreSQL gives.
    state: str | None = None

    def fits(self, point: Point, dialect: str) -> bool:
        if self.after:
            return point.moment == COMMIT
        if self.state and dialect != "postgresql":
            return False
        # A COMMIT of nothing cannot be refused.
        return point.moment == STATEMENT or point.writes or not self.name.startswith("refused")


def _crash(_: Connection, __: str) -> None:
    raise Crash


def _cut(connection: Connection, _: str) -> None:
    _driver(connection).close()


def _crash_after(connection: Connection, _: str) -> None:
    _driver(connection).commit()
    raise Crash


def _cut_after(connection: Connection, _: str) -> None:
    _driver(connection).commit()
    _driver(connection).close()


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _refuse(state: str) -> Callable[[Connection, str], None]:
    """The database refuses this statement, or the COMMIT; `state` is for PostgreSQL."""

    def strike(connection: Connection, moment: str) -> None:
        if connection.dialect.name == "sqlite":
            now, later = "SELECT abs(-9223372036854775808)", "INSERT INTO replies (note_id) VALUES (999)"
        else:
            now = f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$"
            later = f"INSERT INTO refusals VALUES ('{state}')"
        _driver(connection).execute(now if moment == STATEMENT else later)

    return strike


def _both(name: str, strike: Callable[[Connection, str], None], **more: Any) -> list[Fault]:
    return [Fault(name, strike, **more), Fault(f"{name} from then on", strike, lasting=True, **more)]


FAULTS: Final = (
    *_both("crash", _crash),
    *_both("cut", _cut),
    *_both("refused", _refuse("22012")),
    Fault("crash after", _crash_after, after=True),
    Fault("cut after", _cut_after, after=True),
    *(
        fault
        for state in ("40001", "40P01", "55P03", "53100")
        for fault in _both(f"refused {state}", _refuse(state), state=state)
    ),
)


def prepare(db: Database) -> None:
    """Makes the table whose rows no COMMIT takes."""
    if db.engines.writer.dialect.name == "sqlite":
        scratch.create(db)
        return
    scratch.execute(
        db,
        "CREATE TABLE refusals (state text)",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'no' USING ERRCODE = NEW.state; END $$",
        "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON refusals DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION refuse()",
    )


class Saboteur:
    """Watches every statement and COMMIT of a service, and strikes where it is told to."""

    def __init__(self, db: Database) -> None:
        self._fault: Fault | None = None
        self._at = 0
        self._watching = False
        self.met: list[Point] = []
        for engine, writes in ((db.engines.writer, True), (db.engines.reader, False)):
            self._listen(engine, writes)

    def _listen(self, engine: Any, writes: bool) -> None:
        @event.listens_for(engine, "before_cursor_execute")
        def _statement(connection: Connection, _: Any, statement: str, *__: Any) -> None:
            self._reach(connection, Point(STATEMENT, writes, statement))

        @event.listens_for(engine, "commit")
        def _commit(connection: Connection) -> None:
            self._reach(connection, Point(COMMIT, writes))

    @contextmanager
    def at_work(self, fault: Fault | None = None, at: int = 0) -> Iterator[None]:
        """Meanwhile notes what is met and strikes at the point of this number, counted from 0."""
        self._fault, self._at, self._watching, self.met = fault, at, True, []
        try:
            yield
        finally:
            self._watching = False

    def _reach(self, connection: Connection, point: Point) -> None:
        if not self._watching:
            return
        self.met.append(point)
        number = len(self.met) - 1
        if self._fault is not None and (
            number == self._at or (number > self._at and self._fault.lasting and self._can(point, connection))
        ):
            self._fault.strike(connection, point.moment)

    def _can(self, point: Point, connection: Connection) -> bool:
        return self._fault is not None and self._fault.fits(point, connection.dialect.name)
