"""What the chunks of bulk transfers came to.

Revision: 0003, after 0002.
"""

import sqlalchemy as sa

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bulk_chunks",
        sa.Column("caller", sa.String(30), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("first", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("outcomes", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["caller", "key"],
            ["idempotency_keys.caller", "idempotency_keys.key"],
            name=op.f("fk_bulk_chunks_caller_idempotency_keys"),
        ),
    )


def downgrade() -> None:
    op.drop_table("bulk_chunks")
