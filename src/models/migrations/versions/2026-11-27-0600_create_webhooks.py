"""Create the tables of webhooks, and the secret that seals the secrets of their endpoints."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "c7d20f94ab51"
down_revision: str | None = "c05e3f7b1d42"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Create the tables, and the secret from three random UUIDs: gen_random_uuid has 122 secure random bits each."""
    op.execute("""
        INSERT INTO service_secrets (name, secret)
        SELECT 'webhooks', sha256(string_agg(uuid_send(gen_random_uuid()), '')) FROM generate_series(1, 3)
    """)
    _create_endpoints()
    _create_replays()
    _create_deliveries()
    op.create_table(
        "webhook_attempts",
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("response_head", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["webhook_deliveries.id"],
            name=op.f("fk_webhook_attempts_delivery_id_webhook_deliveries"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("delivery_id", "n", name=op.f("pk_webhook_attempts")),
    )


def _create_endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("types", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("group_ids", postgresql.ARRAY(sa.BigInteger()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("detail", sa.Text(), server_default=sa.text("'thin'"), nullable=False),
        sa.Column("principal_id", sa.Text(collation="C"), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("old_secret", sa.LargeBinary(), nullable=True),
        sa.Column("old_secret_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.Text(), server_default=sa.text("'on'"), nullable=False),
        sa.Column("state_reason", sa.Text(), nullable=True),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("missed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("max_in_flight", sa.SmallInteger(), server_default=sa.text("4"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("served_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("char_length(url) BETWEEN 1 AND 2048", name=op.f("ck_webhook_endpoints_url_length")),
        sa.CheckConstraint("detail IN ('thin', 'full')", name=op.f("ck_webhook_endpoints_detail")),
        sa.CheckConstraint("state IN ('on', 'paused', 'off')", name=op.f("ck_webhook_endpoints_state")),
        sa.CheckConstraint("max_in_flight BETWEEN 1 AND 4", name=op.f("ck_webhook_endpoints_max_in_flight")),
        sa.CheckConstraint(
            "(old_secret IS NULL) = (old_secret_until IS NULL)", name=op.f("ck_webhook_endpoints_old_secret")
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_webhook_endpoints_version")),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["principals.id"], name=op.f("fk_webhook_endpoints_principal_id_principals")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoints")),
    )


def _create_replays() -> None:
    op.create_table(
        "webhook_replays",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("from_position", sa.BigInteger(), nullable=False),
        sa.Column("to_position", sa.BigInteger(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("only_dead", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'running'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('running', 'done')", name=op.f("ck_webhook_replays_state")),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoints.id"], name=op.f("fk_webhook_replays_endpoint_id_webhook_endpoints")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_replays")),
    )
    op.create_index("ix_webhook_replays_endpoint_id_id", "webhook_replays", ["endpoint_id", "id"])
    op.create_index(
        "ix_webhook_replays_running", "webhook_replays", ["id"], postgresql_where=sa.text("state = 'running'")
    )


def _create_deliveries() -> None:
    table = "webhook_deliveries"
    op.create_table(
        table,
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("replay_id", sa.BigInteger(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), server_default=sa.text("'event'"), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("reason IN ('event', 'replay')", name=op.f("ck_webhook_deliveries_reason")),
        sa.CheckConstraint("state IN ('pending', 'done', 'dead', 'skipped')", name=op.f("ck_webhook_deliveries_state")),
        sa.CheckConstraint(
            "(state = 'pending') = (finished_at IS NULL)", name=op.f("ck_webhook_deliveries_finished_at")
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoints.id"], name=op.f("fk_webhook_deliveries_endpoint_id_webhook_endpoints")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
    )
    pending, finished = sa.text("state = 'pending'"), sa.text("state <> 'pending'")
    op.create_index(
        "uq_webhook_deliveries_endpoint_id_position",
        table,
        ["endpoint_id", "position"],
        unique=True,
        postgresql_where=sa.text("reason = 'event'"),
    )
    op.create_index("ix_webhook_deliveries_due", table, ["endpoint_id", "next_at"], postgresql_where=pending)
    op.create_index(
        "ix_webhook_deliveries_order", table, ["endpoint_id", "ticket_id", "version"], postgresql_where=pending
    )
    op.create_index("ix_webhook_deliveries_endpoint_id_state_id", table, ["endpoint_id", "state", "id"])
    op.create_index("ix_webhook_deliveries_finished_at", table, ["finished_at"], postgresql_where=finished)
    op.create_index(
        "ix_webhook_deliveries_replayed",
        table,
        ["endpoint_id", "position"],
        postgresql_where=sa.text("reason = 'replay'"),
    )
    op.create_index(
        "ix_webhook_deliveries_replay_id", table, ["replay_id"], postgresql_where=sa.text("replay_id IS NOT NULL")
    )


def downgrade() -> None:
    """Drop the tables and the secret."""
    for table in ("webhook_attempts", "webhook_deliveries", "webhook_replays", "webhook_endpoints"):
        op.drop_table(table)
    op.execute("DELETE FROM service_secrets WHERE name = 'webhooks'")
