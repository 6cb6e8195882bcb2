"""Create the tables of the sign-in of people, and the secret that seals their second factors."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "a3f81c6d2e97"
down_revision: str | None = "d74fab52ce43"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Create the tables, and the secret from three random UUIDs: gen_random_uuid has 122 secure random bits each."""
    op.execute("""
        INSERT INTO service_secrets (name, secret)
        SELECT 'sign-in', sha256(string_agg(uuid_send(gen_random_uuid()), '')) FROM generate_series(1, 3)
    """)
    _create_sessions()
    _create_credentials()
    _create_tokens()
    op.create_table(
        "set_up",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("person_id", sa.Text(collation="C"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_set_up_one_row")),
        sa.ForeignKeyConstraint(["person_id"], ["principals.id"], name=op.f("fk_set_up_person_id_principals")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_set_up")),
    )


def downgrade() -> None:
    """Drop the tables: everybody is signed out, and passwords are lost."""
    for table in ("set_up", "sign_in_tokens", "recovery_codes", "person_credentials", "person_sessions"):
        op.drop_table(table)
    op.execute("DELETE FROM service_secrets WHERE name = 'sign-in'")


def _create_sessions() -> None:
    op.create_table(
        "person_sessions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Text(collation="C"), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("method IN ('set_up', 'password', 'link', 'oidc')", name=op.f("ck_person_sessions_method")),
        sa.CheckConstraint("octet_length(token_hash) = 32", name=op.f("ck_person_sessions_token_hash_length")),
        sa.CheckConstraint("char_length(user_agent) <= 300", name=op.f("ck_person_sessions_user_agent_length")),
        sa.CheckConstraint("char_length(address) <= 100", name=op.f("ck_person_sessions_address_length")),
        sa.CheckConstraint("char_length(email) BETWEEN 3 AND 254", name=op.f("ck_person_sessions_email_length")),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_person_sessions_expires_at")),
        sa.ForeignKeyConstraint(["person_id"], ["principals.id"], name=op.f("fk_person_sessions_person_id_principals")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_sessions")),
    )
    op.create_index("uq_person_sessions_token_hash", "person_sessions", ["token_hash"], unique=True)
    op.create_index("ix_person_sessions_person_id", "person_sessions", ["person_id"])
    op.create_index("ix_person_sessions_expires_at", "person_sessions", ["expires_at"])


def _create_credentials() -> None:
    op.create_table(
        "person_credentials",
        sa.Column("person_id", sa.Text(collation="C"), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("password_changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("totp_secret", sa.LargeBinary(), nullable=True),
        sa.Column("totp_confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "totp_confirmed_at IS NULL OR totp_secret IS NOT NULL", name=op.f("ck_person_credentials_totp_confirmed_at")
        ),
        sa.CheckConstraint(
            "password_hash IS NULL OR password_changed_at IS NOT NULL",
            name=op.f("ck_person_credentials_password_changed_at"),
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["principals.id"], name=op.f("fk_person_credentials_person_id_principals")
        ),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_person_credentials")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("person_id", sa.Text(collation="C"), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("octet_length(code_hash) = 32", name=op.f("ck_recovery_codes_code_hash_length")),
        sa.ForeignKeyConstraint(["person_id"], ["principals.id"], name=op.f("fk_recovery_codes_person_id_principals")),
        sa.PrimaryKeyConstraint("person_id", "code_hash", name=op.f("pk_recovery_codes")),
    )


def _create_tokens() -> None:
    op.create_table(
        "sign_in_tokens",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(collation="C"), nullable=True),
        sa.Column("details", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "purpose IN ('set_up', 'link', 'second_factor', 'oidc')", name=op.f("ck_sign_in_tokens_purpose")
        ),
        sa.CheckConstraint("octet_length(token_hash) = 32", name=op.f("ck_sign_in_tokens_token_hash_length")),
        sa.CheckConstraint(
            "(purpose IN ('link', 'second_factor')) = (person_id IS NOT NULL)",
            name=op.f("ck_sign_in_tokens_person_id"),
        ),
        sa.CheckConstraint("(purpose = 'set_up') = (expires_at IS NULL)", name=op.f("ck_sign_in_tokens_expires_at")),
        sa.ForeignKeyConstraint(["person_id"], ["principals.id"], name=op.f("fk_sign_in_tokens_person_id_principals")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sign_in_tokens")),
    )
    op.create_index("ix_sign_in_tokens_expires_at", "sign_in_tokens", ["expires_at"])
    op.create_index("ix_sign_in_tokens_person_id", "sign_in_tokens", ["person_id"])
