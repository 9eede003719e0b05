"""Cards, what the network asks of them, and refunds.

Revision: 0005, after 0004.
"""

import sqlalchemy as sa

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MAX_AMOUNT = 2**53 - 1
_LIMITS = ("per_payment", "per_day", "per_month")


def upgrade() -> None:
    op.create_table(
        "cards",
        sa.Column("key", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(30), nullable=False, unique=True),
        sa.Column("account_key", sa.BigInteger(), sa.ForeignKey("accounts.key"), nullable=False),
        sa.Column("type", sa.String(8), nullable=False),
        sa.Column("status", sa.String(9), nullable=False),
        sa.Column("cancel_reason", sa.String(9)),
        sa.Column("brand", sa.String(10), nullable=False),
        sa.Column("last4", sa.String(4), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("expires_on", sa.Date(), nullable=False),
        *(sa.Column(name, sa.BigInteger()) for name in _LIMITS),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("blocked_mccs", sa.JSON(), nullable=False),
        sa.Column("blocked_countries", sa.JSON(), nullable=False),
        sa.Column("replaces_key", sa.BigInteger(), sa.ForeignKey("cards.key"), unique=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("type IN ('virtual', 'physical')", name=op.f("ck_cards_type")),
        sa.CheckConstraint(
            "status IN ('inactive', 'active', 'frozen', 'cancelled')", name=op.f("ck_cards_status")
        ),
        sa.CheckConstraint(
            "(status = 'cancelled') = (cancel_reason IS NOT NULL)", name=op.f("ck_cards_cancelled")
        ),
        sa.CheckConstraint(
            "cancel_reason IN ('lost', 'stolen', 'damaged', 'requested')",
            name=op.f("ck_cards_cancel_reason"),
        ),
        sa.CheckConstraint("length(last4) = 4", name=op.f("ck_cards_last4")),
        *(
            sa.CheckConstraint(f"{name} BETWEEN 1 AND {MAX_AMOUNT}", name=op.f(f"ck_cards_{name}"))
            for name in _LIMITS
        ),
    )
    op.create_index(op.f("ix_cards_account_key_key"), "cards", ["account_key", "key"])
    _create_authorizations()
    _create_refunds()
    for table in ("authorizations", "card_refunds"):
        _make_append_only(table)


def downgrade() -> None:
    for table in ("card_refunds", "authorizations", "cards"):
        op.drop_table(table)


def _create_authorizations() -> None:
    op.create_table(
        "authorizations",
        sa.Column("key", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(30), nullable=False, unique=True),
        sa.Column("card_key", sa.BigInteger(), sa.ForeignKey("cards.key"), nullable=False),
        sa.Column("hold_key", sa.BigInteger(), sa.ForeignKey("transfers.key"), unique=True),
        sa.Column("decline_reason", sa.String(22)),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("merchant", sa.JSON(), nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("initiated_by", sa.String(30), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(f"amount BETWEEN 1 AND {MAX_AMOUNT}", name=op.f("ck_authorizations_amount")),
        sa.CheckConstraint(
            "decline_reason IN ('card_cancelled', 'card_expired', 'card_inactive', 'card_frozen', "
            "'account_frozen', 'currency_not_supported', 'online_disabled', 'mcc_blocked', "
            "'country_blocked', 'limit_exceeded', 'insufficient_funds')",
            name=op.f("ck_authorizations_decline_reason"),
        ),
        sa.CheckConstraint(
            "(hold_key IS NULL) = (decline_reason IS NOT NULL)", name=op.f("ck_authorizations_declined")
        ),
        sa.CheckConstraint("hold_key = key", name=op.f("ck_authorizations_hold")),
    )
    op.create_index(op.f("ix_authorizations_card_key_key"), "authorizations", ["card_key", "key"])


def _create_refunds() -> None:
    op.create_table(
        "card_refunds",
        sa.Column(
            "transfer_key",
            sa.BigInteger(),
            sa.ForeignKey("transfers.key"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column(
            "authorization_key",
            sa.BigInteger(),
            sa.ForeignKey("authorizations.key"),
            nullable=False,
            index=True,
        ),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("after_event", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(f"amount BETWEEN 1 AND {MAX_AMOUNT}", name=op.f("ck_card_refunds_amount")),
    )


def _make_append_only(table: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        return
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
