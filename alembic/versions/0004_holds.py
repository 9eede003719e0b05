"""Holds: what has been captured of a pending transfer, and the history of each.

Revision: 0004, after 0003.
"""

import sqlalchemy as sa

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

HOLD = (
    "CASE WHEN captured IS NULL THEN status = 'posted' AND expires_at IS NULL "
    "ELSE captured >= 0 AND expires_at IS NOT NULL AND pending_key IS NULL AND reverses_key IS NULL END"
)


def upgrade() -> None:
    _add_captured()
    _partial_index("ix_transfers_holds", "transfers", ["source_key", "key"], "captured IS NOT NULL")
    op.create_table(
        "hold_events",
        sa.Column("transfer_key", sa.BigInteger(), sa.ForeignKey("transfers.key"), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("account_key", sa.BigInteger(), nullable=False),
        sa.Column("act", sa.String(11), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("status_after", sa.String(8), nullable=False),
        sa.Column("amount_after", sa.BigInteger(), nullable=False),
        sa.Column("remaining_after", sa.BigInteger(), nullable=False),
        sa.Column("captured_after", sa.BigInteger(), nullable=False),
        sa.Column("source_balance", sa.BigInteger(), nullable=False),
        sa.Column("source_held", sa.BigInteger(), nullable=False),
        sa.Column("source_available", sa.BigInteger(), nullable=False),
        sa.Column("capture_key", sa.BigInteger(), sa.ForeignKey("transfers.key")),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(30)),
        sa.PrimaryKeyConstraint("transfer_key", "sequence", name=op.f("pk_hold_events")),
        _check("act", "act IN ('created', 'incremented', 'captured', 'voided', 'expired')"),
        _check("sequence", "sequence > 0"),
        _check("capture", "(act = 'captured') = (capture_key IS NOT NULL)"),
        _check("actor", "(act = 'expired') = (actor IS NULL)"),
    )
    _partial_index(
        "uq_hold_events_capture_key", "hold_events", ["capture_key"], "capture_key IS NOT NULL", True
    )
    _partial_index("ix_hold_events_incremented", "hold_events", ["account_key", "at"], "act = 'incremented'")
    _make_append_only("hold_events")


def downgrade() -> None:
    op.drop_table("hold_events")
    op.drop_index("ix_transfers_holds", "transfers")
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(op.f("ck_transfers_hold"), "transfers")
    op.drop_column("transfers", "captured")


def _add_captured() -> None:
    """On SQLite the rule comes with the column: so the table, which may be long, is not written anew."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"ALTER TABLE transfers ADD COLUMN captured BIGINT CONSTRAINT ck_transfers_hold CHECK ({HOLD})"
        )
        return
    op.add_column("transfers", sa.Column("captured", sa.BigInteger()))
    op.create_check_constraint(op.f("ck_transfers_hold"), "transfers", HOLD)


def _check(name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_hold_events_{name}"))


def _partial_index(name: str, table: str, columns: list[str], condition: str, unique: bool = False) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)


def _make_append_only(table: str) -> None:
    """The database itself refuses to change or delete a row, whoever asks."""
    if op.get_bind().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        return
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
