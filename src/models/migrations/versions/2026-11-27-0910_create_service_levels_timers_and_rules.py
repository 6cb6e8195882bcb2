"""Create service levels, automatic closing, reminders and rules.

The clocks of a ticket are columns of its row: they change in the statement that changes the ticket. Tickets of before
have no clocks until they change, and are not closed by themselves.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "d1e84b7a3c06"
down_revision: str | None = "d81f3b6ce420"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_FACETS = "c2f7a94e1d60"
_EVENT_TYPES = "'created', 'changed', 'commented', 'noted', 'linked', 'merged'"
_NEW_EVENT_TYPES = "'sla_warned', 'sla_breached', 'close_warned', 'reminded'"

# The clock of the database decides on times. Tests replace the function to let time pass.
_SERVICE_CLOCK = """
CREATE FUNCTION service_clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$ SELECT clock_timestamp() $$
"""
# The function of before, with the facet of `sla_state`.
_SLA_FACET = "UNION ALL SELECT 'sla:' || concerned.sla_state WHERE concerned.sla_state IS NOT NULL"

# A reminder that is due appends an event to a closed ticket too.
_REMIND = "WHEN 'remind' THEN changed <@ CASE of_table WHEN 'tickets' THEN ARRAY['version', 'updated_at'] END"

# Whom events name as their actor.
_PRINCIPALS = {
    "system:sla": "Service levels",
    "system:auto-close": "Automatic close",
    "system:reminders": "Reminders",
    "system:rules": "Rules",
}
_REFUSE_UNKNOWN_EVENTS = f"""
DO $$
BEGIN
    IF EXISTS (SELECT FROM ticket_events WHERE type IN ({_NEW_EVENT_TYPES})) THEN
        RAISE EXCEPTION 'there are warnings and reminders among the events, which the release before cannot read';
    END IF;
END
$$
"""


def _columns() -> dict[str, list[sa.Column[Any]]]:
    """Return the new columns by table. Alembic ties each to a table, so that every call makes new ones."""

    def time(name: str) -> sa.Column[Any]:
        return sa.Column(name, sa.DateTime(timezone=True), nullable=True)

    return {
        "tickets": [
            sa.Column("sla", postgresql.JSON(), nullable=True),
            sa.Column("sla_terms", postgresql.JSON(), nullable=True),
            sa.Column("sla_state", sa.Text(), nullable=True),
            time("due_at"),
            time("auto_close_at"),
            time("close_warned_at"),
            time("timer_at"),
        ],
        "groups": [sa.Column("auto_close_after", sa.Integer(), nullable=True)],
        "group_members": [time("assigned_at")],
    }


def _versioned(name: str, *columns: sa.Column[Any]) -> None:
    """Create a table whose rows have an id, a unique name, a version and times."""
    op.create_table(
        name,
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        *columns,
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 100", name=op.f(f"ck_{name}_name_length")),
        sa.CheckConstraint("version >= 1", name=op.f(f"ck_{name}_version")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )
    op.create_index(f"uq_{name}_name_key", name, [sa.text("email_key(name)")], unique=True)


def _create_tables() -> None:
    match = postgresql.JSONB()
    _versioned(
        "sla_policies",
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column(
            "calendar_id",
            sa.BigInteger(),
            sa.ForeignKey("calendars.id", name=op.f("fk_sla_policies_calendar_id_calendars")),
            nullable=False,
        ),
        sa.Column("match", match, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("first_response_s", sa.Integer(), nullable=True),
        sa.Column("next_response_s", sa.Integer(), nullable=True),
        sa.Column("resolution_s", sa.Integer(), nullable=True),
    )
    _versioned(
        "rules",
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("events", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("match", match, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("actions", postgresql.JSONB(), nullable=False),
    )
    op.create_table(
        "reminders",
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("principal_id", sa.Text(collation="C"), nullable=False),
        sa.Column("remind_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("snoozed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_reminders_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("ticket_id", "principal_id", name=op.f("pk_reminders")),
    )
    op.create_index("ix_reminders_remind_at", "reminders", ["remind_at"], postgresql_where="reminded_at IS NULL")
    op.create_index("ix_reminders_principal_id_remind_at", "reminders", ["principal_id", "remind_at"])


def upgrade() -> None:
    """Add tables, columns and a function; the columns have constant defaults, so that no row is rewritten."""
    op.execute("LOCK TABLE tickets, ticket_events IN ACCESS EXCLUSIVE MODE")
    _create_tables()
    op.execute(_SERVICE_CLOCK)
    for principal_id, name in _PRINCIPALS.items():
        op.execute(
            f"INSERT INTO principals (id, kind, name, role) VALUES ('{principal_id}', 'system', '{name}', 'monitor')"  # noqa: S608 - constants
        )
    for table, columns in _columns().items():
        for column in columns:
            op.add_column(table, column)
    op.create_check_constraint(op.f("ck_groups_auto_close_after"), "groups", "auto_close_after >= 0")
    op.execute(
        "ALTER TABLE tickets ADD CONSTRAINT ck_tickets_sla_state CHECK (sla_state IN ('at_risk', 'breached')) NOT VALID"
    )
    _check_event_types(f"{_EVENT_TYPES}, {_NEW_EVENT_TYPES}")
    op.execute(_earlier_purposes().replace("WHEN 'rename_tag'", f"{_REMIND}\n        WHEN 'rename_tag'"))
    facets_of, changed, has_facets = _earlier()
    ending = ") AS facets (facet)"
    op.execute(facets_of.replace(ending, f"{_SLA_FACET}\n    {ending}"))
    _create_triggers(
        f"{changed} OR OLD.sla_state IS DISTINCT FROM NEW.sla_state",
        has_facets[:-1] + " OR {row}.sla_state IS NOT NULL)",
    )


def downgrade() -> None:
    """Put the facets of before back, and drop tables, columns and the function; refused if there are new events."""
    op.execute("LOCK TABLE tickets, ticket_events IN ACCESS EXCLUSIVE MODE")
    op.execute(_REFUSE_UNKNOWN_EVENTS)
    op.execute(_earlier_purposes())
    facets_of, changed, has_facets = _earlier()
    op.execute("DELETE FROM ticket_facets WHERE facet LIKE 'sla:%'")
    op.execute(facets_of)
    _create_triggers(changed, has_facets)
    _check_event_types(_EVENT_TYPES)
    for table, columns in _columns().items():
        for column in columns:
            op.drop_column(table, column.name)
    op.execute("DROP FUNCTION service_clock()")
    op.execute("DELETE FROM principals WHERE id LIKE 'system:%'")
    for table in ("reminders", "rules", "sla_policies"):
        op.drop_table(table)


def _earlier() -> tuple[str, str, str]:
    """Return the function of before, and the conditions of its triggers."""
    script = op.get_context().script
    assert script is not None  # noqa: S101 - the script that runs this
    module = script.get_revision(_FACETS).module
    facets_of = module._FACETS_OF.replace("CREATE", "CREATE OR REPLACE")  # noqa: SLF001
    return facets_of, module._FACETS_CHANGED, module._HAS_FACETS  # noqa: SLF001


def _earlier_purposes() -> str:
    """Return the function of before that lists what each purpose permits."""
    script = op.get_context().script
    assert script is not None  # noqa: S101 - the script that runs this
    purposes: str = script.get_revision(_FACETS).module._PURPOSE_PERMITS  # noqa: SLF001
    return purposes


def _create_triggers(changed: str, has_facets: str) -> None:
    """Create the triggers of facets again: of new tickets, and of tickets whose facets or status changed."""
    for name in ("tickets_facets_of_new", "tickets_facets_of_changed"):
        op.execute(f"DROP TRIGGER {name} ON tickets")
    new = has_facets.format(row="NEW")
    op.execute(
        "CREATE TRIGGER tickets_facets_of_new AFTER INSERT ON tickets FOR EACH ROW"
        f" WHEN ({new}) EXECUTE FUNCTION tickets_facets()"
    )
    op.execute(
        "CREATE TRIGGER tickets_facets_of_changed AFTER UPDATE ON tickets FOR EACH ROW"
        f" WHEN ({changed} OR OLD.status <> NEW.status AND {new}) EXECUTE FUNCTION tickets_facets()"
    )


def _check_event_types(listed: str) -> None:
    op.execute("ALTER TABLE ticket_events DROP CONSTRAINT ck_ticket_events_type")
    op.execute(f"ALTER TABLE ticket_events ADD CONSTRAINT ck_ticket_events_type CHECK (type IN ({listed})) NOT VALID")
