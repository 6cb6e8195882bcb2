"""The statements that write tickets: each saves a change with its event, in one round trip.

save_statement        saves one change of a ticket that still has the version that was read: its row, a new comment if
                      there is one, and the event
create_statement      inserts a ticket and its first event
"""

from collections.abc import Set
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    CTE,
    ColumnElement,
    DateTime,
    Integer,
    Text,
    bindparam,
    case,
    cast,
    func,
    insert,
    literal_column,
    null,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from db.postgres.statements import Statement, constant
from models import Audience, EventType, TicketStatus
from services.tickets.statements import comments, events, ticket_id, tickets

# One statement for each set of fields that are written together; beyond this many, the least used is built again.
MAX_SAVE_STATEMENTS: Final = 256
_ONE: Final = literal_column("1", Integer)
_AT: Final = bindparam("at", type_=DateTime(timezone=True))


def field_parameter(field: str) -> str:
    """Return the name of the parameter that holds the new value of a ticket's field."""
    return f"new_{field}"


@lru_cache(maxsize=MAX_SAVE_STATEMENTS)
def save_statement(fields: frozenset[str], *, comment_in: str | None) -> Statement:
    """Return the statement that saves a change of these fields, and returns the ticket's row.

    It saves nothing and returns no row unless the ticket has `version`, the version that was read, and is not locked by
    another transaction. `at` is the time of the change, at least that of the version before. Parameters: `ticket_id`,
    `version`, `at`; the fields' new values by `field_parameter`; with a comment `comment_email`, `comment_text` and
    `visibility`; of the event `type`, `changes` and `internal` (JSON text), `actor` and `audience`. `comment_in` names
    the column of the event that gets the id of the new comment, `data` or `internal`; without it, no comment is added.
    With a comment the row has `comment_id` and `commented_at` too.
    """
    unchanged = _lock_unchanged()
    changes: ColumnElement[Any] = cast(bindparam("changes", type_=Text), JSONB)
    internal: ColumnElement[Any] = cast(bindparam("internal", type_=Text), JSONB)
    if comment_in is None:
        saved = _update(fields, unchanged, None)
        return Statement(select(*saved.c).add_cte(_event(saved, changes, internal)))
    comment = _new_comment(unchanged)
    saved = _update(fields, unchanged, comment)
    comment_id = func.jsonb_build_object(constant("comment_id"), comment.c.id, type_=JSONB)
    if comment_in == "data":
        event = _event(saved, changes.op("||")(comment_id), internal, comment)
    else:
        event = _event(saved, changes, internal.op("||")(comment_id), comment)
    row = select(*saved.c, comment.c.id.label("comment_id"), comment.c.created_at.label("commented_at"))
    return Statement(row.select_from(saved.join(comment, true())).add_cte(event))


def _lock_unchanged() -> CTE:
    """Return the lock of the ticket in the version that was read; without a row if that is not possible at once."""
    is_unchanged = tickets.c.version == bindparam("version", type_=Integer)
    found = select(tickets.c.id).where(tickets.c.id == ticket_id, is_unchanged)
    return found.with_for_update(key_share=True, skip_locked=True).cte("unchanged")


def _new_comment(unchanged: CTE) -> CTE:
    columns = {
        comments.c.ticket_id: unchanged.c.id,
        comments.c.email: bindparam("comment_email", type_=Text),
        comments.c.text: bindparam("comment_text", type_=Text),
        comments.c.visibility: bindparam("visibility", type_=Text),
        comments.c.created_at: _AT,
    }
    new = insert(comments).from_select(list(columns), select(*columns.values()))
    return new.returning(comments.c.id, comments.c.created_at, comments.c.visibility).cte("new_comment")


def _update(fields: Set[str], unchanged: CTE, comment: CTE | None) -> CTE:
    """Return the update of the ticket.

    It counts the new comment, and so waits until that is inserted: the guard refuses comments on a closed ticket.
    `closed_at` and `merged_at` are the time of this update.
    """
    updated_at = func.greatest(tickets.c.updated_at, _AT)
    values: dict[str, Any] = {field: _new_value(field) for field in sorted(fields)}
    values |= {"version": tickets.c.version + _ONE, "updated_at": updated_at}
    if "status" in fields:
        is_closed = _new_value("status") == constant(TicketStatus.CLOSED)
        values["closed_at"] = case((is_closed, updated_at), else_=null())
    if "merged_into" in fields:
        values["merged_at"] = case((_new_value("merged_into").is_not(None), updated_at), else_=null())
    if comment is not None:
        is_note = comment.c.visibility == constant(Audience.INTERNAL)
        added = select(
            cast(func.count(), Integer).label("comments"), cast(func.count().filter(is_note), Integer).label("notes")
        )
        counts = added.select_from(comment).subquery("added")
        values["comment_count"] = tickets.c.comment_count + counts.c.comments
        values["note_count"] = tickets.c.note_count + counts.c.notes
    return update(tickets).values(values).where(tickets.c.id == unchanged.c.id).returning(*tickets.c).cte("saved")


def _new_value(field: str) -> ColumnElement[Any]:
    return bindparam(field_parameter(field), type_=tickets.c[field].type)


def _event(saved: CTE, data: ColumnElement[Any], internal: ColumnElement[Any], *others: CTE) -> CTE:
    columns = {
        events.c.ticket_id: saved.c.id,
        events.c.version: saved.c.version,
        events.c.type: bindparam("type", type_=Text),
        events.c.data: data,
        events.c.internal: internal,
        events.c.audience: bindparam("audience", type_=Text),
        events.c.actor: bindparam("actor", type_=Text),
        events.c.created_at: saved.c.updated_at,
    }
    return insert(events).from_select(list(columns), select(*columns.values()).select_from(saved, *others)).cte("event")


@lru_cache(maxsize=MAX_SAVE_STATEMENTS)
def create_statement(fields: frozenset[str], *, has_members: bool) -> Statement:
    """Return the statement that inserts a ticket with these fields and its first event, and returns the ticket's row.

    Parameters: the values by `field_parameter`, and `actor`. With `has_members` the event shows initial values, in
    `changes` and `internal` (JSON text), as `save_statement` takes them.
    """
    values = {field: _new_value(field) for field in sorted(fields)}
    created = insert(tickets).values(values).returning(*tickets.c).cte("created")
    columns: dict[ColumnElement[Any], ColumnElement[Any]] = {
        events.c.ticket_id: created.c.id,
        events.c.version: created.c.version,
        events.c.type: constant(EventType.CREATED),
        events.c.actor: bindparam("actor", type_=Text),
        events.c.created_at: created.c.created_at,
    }
    if has_members:
        columns |= {
            events.c.data: cast(bindparam("changes", type_=Text), JSONB),
            events.c.internal: cast(bindparam("internal", type_=Text), JSONB),
        }
    event = insert(events).from_select(list(columns), select(*columns.values()).select_from(created)).cte("event")
    return Statement(select(*created.c).add_cte(event))
