"""Create the calendars of working hours."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "d81f3b6ce420"
down_revision: str | None = "c7d20f94ab51"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "calendars",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("weekly", postgresql.JSONB(), nullable=False),
        sa.Column("exceptions", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 100", name=op.f("ck_calendars_name_length")),
        sa.CheckConstraint("char_length(zone) BETWEEN 1 AND 64", name=op.f("ck_calendars_zone_length")),
        sa.CheckConstraint("jsonb_typeof(weekly) = 'object'", name=op.f("ck_calendars_weekly")),
        sa.CheckConstraint("jsonb_typeof(exceptions) = 'object'", name=op.f("ck_calendars_exceptions")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_calendars_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendars")),
    )
    op.create_index("uq_calendars_name_key", "calendars", [sa.text("email_key(name)")], unique=True)


def downgrade() -> None:
    """Drop it."""
    op.drop_table("calendars")
