"""Account holders, accounts, transfers and entries, with the guards of the ledger.

Revision: 0002, after 0001.
"""

import sqlalchemy as sa

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MAX_AMOUNT = 2**53 - 1
MAX_BANK_BALANCE = 2**60


def upgrade() -> None:
    op.create_table(
        "account_holders",
        sa.Column("id", sa.String(30), primary_key=True),
        sa.Column("user_id", sa.String(30), sa.ForeignKey("users.id"), unique=True),
        sa.Column("full_name", sa.String(100), nullable=False),
        sa.Column("date_of_birth", sa.Date(), nullable=False),
        sa.Column("address", sa.String(300)),
        sa.Column("phone", sa.String(32)),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
    )
    _create_accounts()
    _create_transfers()
    _create_entries()
    _make_append_only("entries")


def downgrade() -> None:
    for table in ("entries", "transfers", "accounts", "account_holders"):
        op.drop_table(table)


def _create_accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("key", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(30), nullable=False, unique=True),
        sa.Column("number", sa.String(12), unique=True),
        sa.Column("holder_id", sa.String(30), sa.ForeignKey("account_holders.id"), index=True),
        sa.Column("owner_id", sa.String(30), sa.ForeignKey("users.id")),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("overdraft_limit", sa.BigInteger(), nullable=False),
        sa.Column("unarranged", sa.BigInteger(), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("last_booked_at", sa.BigInteger(), nullable=False),
        sa.Column("nickname", sa.String(50)),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        _check(
            "accounts",
            "kind",
            "kind IN ('checking', 'savings', 'cash', 'card_settlement', 'fees', 'interest', "
            "'fx_position', 'suspense')",
        ),
        _check("accounts", "status", "status IN ('active', 'frozen', 'closed')"),
        _check("accounts", "currency", "length(currency) = 3"),
        _check("accounts", "customer", "(holder_id IS NULL) = (number IS NULL)"),
        _check(
            "accounts",
            "not_negative",
            "held >= 0 AND overdraft_limit >= 0 AND unarranged >= 0",
        ),
        _check(
            "accounts",
            "floor",
            "holder_id IS NULL OR balance - held + overdraft_limit + unarranged >= 0",
        ),
        _check(
            "accounts",
            "balance",
            f"balance BETWEEN -{MAX_BANK_BALANCE} AND {MAX_BANK_BALANCE} AND "
            f"(holder_id IS NULL OR balance BETWEEN -{MAX_AMOUNT} AND {MAX_AMOUNT})",
        ),
        _check("accounts", "closed", "status <> 'closed' OR (balance = 0 AND held = 0)"),
    )
    op.create_index(op.f("ix_accounts_owner_id_key"), "accounts", ["owner_id", "key"])
    _partial_index("uq_accounts_system", "accounts", ["kind", "currency"], "holder_id IS NULL", True)


def _create_transfers() -> None:
    op.create_table(
        "transfers",
        sa.Column("key", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(30), nullable=False, unique=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("source_key", sa.BigInteger(), sa.ForeignKey("accounts.key"), nullable=False),
        sa.Column("destination_key", sa.BigInteger(), sa.ForeignKey("accounts.key"), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("description", sa.String(140)),
        sa.Column("external_id", sa.String(100)),
        sa.Column("metadata", sa.JSON(none_as_null=True)),
        sa.Column("initiated_by", sa.String(30), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("booked_at", sa.BigInteger()),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("reverses_key", sa.BigInteger(), sa.ForeignKey("transfers.key")),
        sa.Column("pending_key", sa.BigInteger(), sa.ForeignKey("transfers.key"), index=True),
        sa.Column("group_id", sa.String(30)),
        sa.Column("source_balance", sa.BigInteger(), nullable=False),
        sa.Column("source_held", sa.BigInteger(), nullable=False),
        sa.Column("source_available", sa.BigInteger(), nullable=False),
        _check(
            "transfers",
            "kind",
            "kind IN ('transfer', 'deposit', 'withdrawal', 'reversal', 'fee', 'interest', "
            "'card_payment', 'card_refund')",
        ),
        _check("transfers", "status", "status IN ('posted', 'pending', 'voided', 'expired')"),
        _check("transfers", "amount", f"amount BETWEEN 1 AND {MAX_AMOUNT}"),
        _check("transfers", "remaining", "remaining BETWEEN 0 AND amount"),
        _check("transfers", "reserved", "status = 'pending' OR remaining = 0"),
        _check("transfers", "sides", "source_key <> destination_key"),
        _check("transfers", "booked", "(status = 'posted') = (booked_at IS NOT NULL)"),
    )
    op.create_index(op.f("ix_transfers_source_key_key"), "transfers", ["source_key", "key"])
    op.create_index(op.f("ix_transfers_destination_key_key"), "transfers", ["destination_key", "key"])
    _partial_index("ix_transfers_external_id", "transfers", ["external_id", "key"], "external_id IS NOT NULL")
    _partial_index(
        "uq_transfers_reverses_key", "transfers", ["reverses_key"], "reverses_key IS NOT NULL", True
    )
    _partial_index("ix_transfers_due", "transfers", ["source_key", "expires_at"], "status = 'pending'")


def _create_entries() -> None:
    op.create_table(
        "entries",
        sa.Column("account_key", sa.BigInteger(), sa.ForeignKey("accounts.key"), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(30), nullable=False, unique=True),
        sa.Column("transfer_key", sa.BigInteger(), sa.ForeignKey("transfers.key"), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("balance_after", sa.BigInteger(), nullable=False),
        sa.Column("booked_at", sa.BigInteger(), nullable=False),
        sa.Column("value_date", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("account_key", "sequence", name=op.f("pk_entries")),
        sa.UniqueConstraint("transfer_key", "account_key", name=op.f("uq_entries_transfer_key")),
        _check("entries", "amount", "amount <> 0"),
        _check("entries", "sequence", "sequence > 0"),
    )
    op.create_index("uq_entries_booked_at", "entries", ["account_key", "booked_at"], unique=True)


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


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
