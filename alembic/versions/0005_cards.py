"""Cards.

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


def downgrade() -> None:
    op.drop_table("cards")
