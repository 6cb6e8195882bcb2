"""Create drafts."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "a41c7e2f9b10"
down_revision: str | None = "f4b7d90c2e35"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add a table."""
    op.create_table(
        "drafts",
        sa.Column("principal_id", sa.Text(collation="C"), nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("counter", sa.BigInteger(), nullable=False),
        sa.Column("base_version", sa.Integer(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("send_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('reply', 'note')", name=op.f("ck_drafts_kind")),
        sa.CheckConstraint("status IN ('open', 'answered', 'awaiting_reply', 'closed')", name=op.f("ck_drafts_status")),
        sa.CheckConstraint("char_length(text) <= 65536", name=op.f("ck_drafts_text_length")),
        sa.CheckConstraint("status IS NULL OR kind = 'reply'", name=op.f("ck_drafts_note_status")),
        sa.CheckConstraint("send_at IS NULL OR refusal IS NULL", name=op.f("ck_drafts_refusal")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_drafts_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("principal_id", "ticket_id", "kind", name=op.f("pk_drafts")),
        sa.UniqueConstraint("id", name=op.f("uq_drafts_id")),
    )
    op.create_index("ix_drafts_send_at", "drafts", ["send_at"], postgresql_where="send_at IS NOT NULL")
    op.create_index("ix_drafts_ticket_id", "drafts", ["ticket_id"])


def downgrade() -> None:
    """Drop the table with all drafts."""
    op.drop_table("drafts")
