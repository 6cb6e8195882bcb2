"""Store what was sent under an idempotency key: a hash of the request, and the bytes of the response.

The release before reads and writes the other columns, which stay until it is gone. Keys are kept for 24 hours, so rows
without the new columns need no conversion.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "e19c5a7d3b48"
down_revision: str | None = "3f58d0c9a7b4"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_COLUMNS = {"request_hash": sa.Text, "body": sa.LargeBinary, "ticket_id": sa.BigInteger, "version": sa.Integer}


def upgrade() -> None:
    """Add the columns."""
    for name, type_ in _COLUMNS.items():
        op.add_column("idempotency_keys", sa.Column(name, type_(), nullable=True))


def downgrade() -> None:
    """Drop the columns."""
    for name in reversed(_COLUMNS):
        op.drop_column("idempotency_keys", name)
