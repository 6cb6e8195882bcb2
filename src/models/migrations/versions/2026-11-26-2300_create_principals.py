"""Create the principals and groups, and let each API key belong to a principal.

The release before this one inserts keys without a principal. A trigger gives these keys the principal of their name.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "c4e7a1d90b36"
down_revision: str | None = "b81e4c5d7f02"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_SET_PRINCIPAL = """
CREATE FUNCTION api_keys_principal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.principal_id IS NULL THEN
        NEW.principal_id := 'key:' || NEW.name;
        INSERT INTO principals (id, kind, name, email, role)
        VALUES (NEW.principal_id, 'service', NEW.name, NEW.email, NEW.role)
        ON CONFLICT (id) DO NOTHING;
    END IF;
    RETURN NEW;
END
$$
"""
_TRIGGER = """
CREATE TRIGGER api_keys_principal BEFORE INSERT ON api_keys FOR EACH ROW EXECUTE FUNCTION api_keys_principal()
"""
# The keys of one name always had one role and one address.
_PRINCIPALS_OF_KEYS = """
INSERT INTO principals (id, kind, name, email, role, created_at, updated_at)
SELECT DISTINCT ON (name) 'key:' || name, 'service', name, email, role, created_at, created_at
FROM api_keys ORDER BY name, created_at
"""


def upgrade() -> None:
    """Create the tables, and the principals of the keys that exist."""
    _create_principals()
    _create_groups()
    # From here on, the release before this one waits before it inserts a key.
    op.add_column("api_keys", sa.Column("principal_id", sa.Text(collation="C"), nullable=True))
    op.add_column("api_keys", sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=True))
    op.create_check_constraint(
        op.f("ck_api_keys_scopes"),
        "api_keys",
        "scopes <@ ARRAY['read', 'comment', 'write', 'admin'] AND cardinality(scopes) > 0",
    )
    op.execute(
        "INSERT INTO principals (id, kind, name, role) VALUES ('anonymous', 'system', 'Anonymous', 'agent')",
    )
    op.execute(_PRINCIPALS_OF_KEYS)
    op.execute("UPDATE api_keys SET principal_id = 'key:' || name")
    op.execute(_SET_PRINCIPAL)
    op.execute(_TRIGGER)
    op.alter_column("api_keys", "principal_id", nullable=False)
    op.create_foreign_key(
        op.f("fk_api_keys_principal_id_principals"), "api_keys", "principals", ["principal_id"], ["id"]
    )
    op.create_index("ix_api_keys_principal_id", "api_keys", ["principal_id"])


def downgrade() -> None:
    """Drop the tables. Keys of people become keys of a service account with the name that they are stored under."""
    op.execute("DROP TRIGGER api_keys_principal ON api_keys")
    op.execute("DROP FUNCTION api_keys_principal()")
    op.drop_column("api_keys", "scopes")
    op.drop_column("api_keys", "principal_id")
    op.drop_table("group_members")
    op.drop_table("groups")
    op.drop_table("principals")
    op.execute("DROP SEQUENCE person_numbers")


def _create_principals() -> None:
    op.execute("CREATE SEQUENCE person_numbers")
    op.create_table(
        "principals",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("role_source", sa.Text(), server_default=sa.text("'admin'"), nullable=False),
        sa.Column("zone", sa.Text(), server_default=sa.text("'UTC'"), nullable=False),
        sa.Column("language", sa.Text(), server_default=sa.text("'en'"), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deactivated_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('person', 'service', 'system')", name=op.f("ck_principals_kind")),
        sa.CheckConstraint("role IN ('admin', 'agent', 'requester', 'monitor')", name=op.f("ck_principals_role")),
        sa.CheckConstraint("role_source IN ('admin', 'token')", name=op.f("ck_principals_role_source")),
        sa.CheckConstraint("char_length(id) BETWEEN 1 AND 300", name=op.f("ck_principals_id_length")),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 100", name=op.f("ck_principals_name_length")),
        sa.CheckConstraint("char_length(email) BETWEEN 3 AND 254", name=op.f("ck_principals_email_length")),
        sa.CheckConstraint(
            "kind <> 'service' OR (role = 'requester') = (email IS NOT NULL)", name=op.f("ck_principals_email")
        ),
        sa.CheckConstraint("active = (deactivated_at IS NULL)", name=op.f("ck_principals_deactivated_at")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_principals_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_principals")),
        sa.UniqueConstraint("subject", name=op.f("uq_principals_subject")),
    )
    op.create_index(
        "uq_principals_email_key",
        "principals",
        [sa.text("email_key(email)")],
        unique=True,
        postgresql_where=sa.text("kind = 'person'"),
    )
    op.create_index("ix_principals_kind_created_at_id", "principals", ["kind", "created_at", "id"])


def _create_groups() -> None:
    op.create_table(
        "groups",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 100", name=op.f("ck_groups_name_length")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_groups_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
    )
    op.create_index("uq_groups_name_key", "groups", [sa.text("email_key(name)")], unique=True)
    op.create_table(
        "group_members",
        sa.Column("group_id", sa.BigInteger(), nullable=False),
        sa.Column("principal_id", sa.Text(collation="C"), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_group_members_group_id_groups")),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["principals.id"], name=op.f("fk_group_members_principal_id_principals")
        ),
        sa.PrimaryKeyConstraint("group_id", "principal_id", name=op.f("pk_group_members")),
    )
    op.create_index("ix_group_members_principal_id", "group_members", ["principal_id"])
