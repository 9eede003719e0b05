"""Monthly statements that have been issued, and which entries have a value date of their own.

Revision: 0006, after 0005.
"""

import sqlalchemy as sa

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "issued_statements",
        sa.Column("key", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(30), nullable=False, unique=True),
        sa.Column("account_key", sa.BigInteger(), sa.ForeignKey("accounts.key"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("head", sa.JSON(), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("issued_by", sa.String(30), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("number > 0", name=op.f("ck_issued_statements_number")),
        sa.UniqueConstraint("account_key", "number"),
        sa.UniqueConstraint("account_key", "month"),
    )
    op.create_table(
        "issued_parts",
        sa.Column(
            "statement_key",
            sa.BigInteger(),
            sa.ForeignKey("issued_statements.key"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("part", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "value_dates",
        sa.Column("account_key", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.ForeignKeyConstraint(
            ["account_key", "sequence"],
            ["entries.account_key", "entries.sequence"],
            name=op.f("fk_value_dates_account_key_sequence_entries"),
        ),
    )
    for table in ("issued_statements", "issued_parts", "value_dates"):
        _make_append_only(table)


def downgrade() -> None:
    for table in ("value_dates", "issued_parts", "issued_statements"):
        op.drop_table(table)


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
