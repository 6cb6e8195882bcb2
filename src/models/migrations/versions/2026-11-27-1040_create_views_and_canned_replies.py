"""Create saved views and canned replies."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem

revision: str = "b52d8f30ac21"
down_revision: str | None = "a41c7e2f9b10"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def _versioned(name: str, *columns: SchemaItem) -> None:
    """Create a table whose rows have an id, a version and times."""
    now = sa.text("now()")
    op.create_table(
        name,
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        *columns,
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f(f"ck_{name}_version")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )


def upgrade() -> None:
    """Add two tables."""
    _versioned(
        "saved_views",
        sa.Column("owner_id", sa.Text(collation="C"), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 100", name=op.f("ck_saved_views_name_length")),
        sa.CheckConstraint("char_length(query) <= 2000", name=op.f("ck_saved_views_query_length")),
    )
    op.create_index("ix_saved_views_owner_id", "saved_views", ["owner_id"])
    _versioned(
        "canned_replies",
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("shortcut", sa.Text(collation="C"), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("group_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("char_length(title) BETWEEN 1 AND 100", name=op.f("ck_canned_replies_title_length")),
        sa.CheckConstraint("char_length(shortcut) BETWEEN 1 AND 40", name=op.f("ck_canned_replies_shortcut_length")),
        sa.CheckConstraint("char_length(text) BETWEEN 1 AND 10000", name=op.f("ck_canned_replies_text_length")),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_canned_replies_group_id_groups")),
    )
    op.create_index("uq_canned_replies_shortcut", "canned_replies", ["shortcut"], unique=True)


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("canned_replies")
    op.drop_table("saved_views")
