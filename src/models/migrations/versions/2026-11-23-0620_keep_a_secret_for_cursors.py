"""Create the secret that signs page cursors."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "9d64b0e7a215"
down_revision: str | None = "3f0a77c1be58"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Create the table and the secret, from three random UUIDs: gen_random_uuid has 122 secure random bits each."""
    op.create_table(
        "service_secrets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_service_secrets")),
    )
    op.execute("""
        INSERT INTO service_secrets (name, secret)
        SELECT 'cursors', sha256(string_agg(uuid_send(gen_random_uuid()), '')) FROM generate_series(1, 3)
    """)


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("service_secrets")
