"""Create the definitions of custom fields."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "a4c9e0b27f13"
down_revision: str | None = "c4e7a1d90b36"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "fields",
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("options", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("required", sa.Text(), server_default=sa.text("'never'"), nullable=False),
        sa.Column("visible_to_requester", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("archived", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("char_length(key) BETWEEN 1 AND 50", name=op.f("ck_fields_key_length")),
        sa.CheckConstraint("char_length(label) BETWEEN 1 AND 100", name=op.f("ck_fields_label_length")),
        sa.CheckConstraint(
            "type IN ('text', 'number', 'boolean', 'date', 'select', 'multiselect')", name=op.f("ck_fields_type")
        ),
        sa.CheckConstraint("required IN ('never', 'create', 'close')", name=op.f("ck_fields_required")),
        sa.CheckConstraint("(type IN ('select', 'multiselect')) = (options <> '{}')", name=op.f("ck_fields_options")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_fields_version")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_fields")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("fields")
