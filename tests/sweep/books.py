"""What is in a database, to the last row, and what a request changed of it."""

from collections.abc import Mapping

from sqlalchemy import Table

from app.db.base import Base
from app.db.unit_of_work import Database

State = Mapping[str, set[str]]
# Rows that are new and rows that are gone, by table; a changed row is both. Other tables are as before.
Effect = dict[str, tuple[int, int]]


def state(db: Database) -> State:
    """Every row of every table of the service, as text."""
    is_sqlite = db.engines.writer.dialect.name == "sqlite"
    tables = Base.metadata.tables.values()
    everything = " UNION ALL ".join(_rows(table, is_sqlite) for table in tables)
    found: dict[str, set[str]] = {table.name: set() for table in tables}
    for name, row in db.run_read(lambda session: session.connection().exec_driver_sql(everything).all()):
        found[name].add(row)
    return found


def _rows(table: Table, is_sqlite: bool) -> str:
    columns = " || ',' || ".join(f"quote({column.name})" for column in table.columns)
    whole = columns if is_sqlite else f"CAST({table.name} AS text)"
    return f"SELECT '{table.name}', {whole} FROM {table.name}"


def effect(before: State, after: State) -> Effect:
    """What has changed between two states."""
    changed = {
        table: (len(after[table] - before[table]), len(before[table] - after[table])) for table in before
    }
    return {table: counts for table, counts in changed.items() if counts != (0, 0)}


def together(one: Effect, other: Effect) -> Effect:
    """Both effects, where they do not touch the same rows."""
    tables = one.keys() | other.keys()
    pairs = {table: (one.get(table, (0, 0)), other.get(table, (0, 0))) for table in tables}
    return {table: (a[0] + b[0], a[1] + b[1]) for table, (a, b) in pairs.items()}
