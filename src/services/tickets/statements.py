"""The statements on tickets, one round trip each, built from the models and compiled at import.

READ                  one ticket, if the principal may see it
LOCK                  locks tickets for this transaction, in ascending id, as far as the principal may see them
save_statement        saves one change of a ticket that still has the version that was read: its row, a new comment if
                      there is one, and the event
CREATE                inserts a ticket and its first event
SELECT_DETAILS        one ticket and its latest comments, in one snapshot, as JSON for the cache; checks no permission
IS_VISIBLE            one row if the principal may see the ticket
PAGE_OF_COMMENTS,     keyset pages: the rows after the last one that was seen;
PAGE_OF_EVENTS        those of tickets are in `services.tickets.pages`
"""

from collections.abc import Set
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    ColumnElement,
    DateTime,
    Integer,
    Subquery,
    Text,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import JSON

from db.postgres.statements import Statement, constant
from models import Audience, Comment, EventType, Ticket, TicketEvent, TicketStatus, table_of
from schemas.tickets import TicketCreate
from services.access.email_addresses import email_key
from services.tickets.ticket_json import as_bytes, comment_members, joined, ticket_members

# A lookup shows the latest comments up to this number and this size of their texts, and the latest one of any size.
MAX_COMMENTS: Final = 50
MAX_COMMENTS_BYTES: Final = 256 * 1024
# One statement for each set of fields that are changed together; beyond this many, the least used is built again.
MAX_SAVE_STATEMENTS: Final = 256

tickets: Final = table_of(Ticket)
comments: Final = table_of(Comment)
events: Final = table_of(TicketEvent)

ticket_id: Final = bindparam("ticket_id", type_=BigInteger)
requester: Final = bindparam("requester", type_=Text)
_ONE: Final = literal_column("1", Integer)

# The predicate of visibility: an agent (`requester` is NULL) sees every ticket, a requester those of their address. It
# stands in each statement that reads for a principal, which a test checks. An invisible ticket is not locked either.
VISIBLE_TO: Final = or_(requester.is_(None), email_key(tickets.c.email) == email_key(requester))
_EVENT_VISIBLE_TO: Final = or_(requester.is_(None), events.c.audience == constant(Audience.PUBLIC))

READ: Final = Statement(select(*tickets.c).where(tickets.c.id == ticket_id, VISIBLE_TO))
LOCK: Final = Statement(
    select(*tickets.c)
    .where(tickets.c.id == func.any(bindparam("ticket_ids", type_=ARRAY(BigInteger))), VISIBLE_TO)
    .order_by(tickets.c.id)
    .with_for_update(key_share=True)
)


def field_parameter(field: str) -> str:
    """Return the name of the parameter that holds the new value of a ticket's field."""
    return f"new_{field}"


@lru_cache(maxsize=MAX_SAVE_STATEMENTS)
def save_statement(fields: frozenset[str], *, adds_comment: bool) -> Statement:
    """Return the statement that saves a change of these fields, and returns the ticket's row.

    It saves nothing and returns no row unless the ticket has `version`, the version that was read, and is not locked by
    another transaction. The time of the update is at least that of the version before. Parameters: `ticket_id`,
    `version`; the fields' new values by `field_parameter`; with a comment `comment_email` and `comment_text`; of the
    event `type`, `changes` (JSON text), `actor` and `audience`. With a comment the row has `comment_id` and
    `commented_at` too.
    """
    moment = select(func.clock_timestamp(type_=DateTime(timezone=True)).label("at")).cte("moment")
    moment = moment.prefix_with("MATERIALIZED")
    unchanged = _lock_unchanged()
    changes: ColumnElement[Any] = cast(bindparam("changes", type_=Text), JSONB)
    if not adds_comment:
        saved = _update(fields, unchanged, moment, None)
        return Statement(select(*saved.c).add_cte(_event(saved, changes)))
    comment = _new_comment(unchanged, moment)
    saved = _update(fields, unchanged, moment, comment)
    comment_id = func.jsonb_build_object(constant("comment_id"), comment.c.id, type_=JSONB)
    event = _event(saved, changes.op("||")(comment_id), comment)
    row = select(*saved.c, comment.c.id.label("comment_id"), comment.c.created_at.label("commented_at"))
    return Statement(row.select_from(saved.join(comment, true())).add_cte(event))


def _lock_unchanged() -> CTE:
    """Return the lock of the ticket in the version that was read; without a row if that is not possible at once."""
    is_unchanged = tickets.c.version == bindparam("version", type_=Integer)
    found = select(tickets.c.id).where(tickets.c.id == ticket_id, is_unchanged)
    return found.with_for_update(key_share=True, skip_locked=True).cte("unchanged")


def _new_comment(unchanged: CTE, moment: CTE) -> CTE:
    values = select(
        unchanged.c.id, bindparam("comment_email", type_=Text), bindparam("comment_text", type_=Text), moment.c.at
    )
    columns = [comments.c.ticket_id, comments.c.email, comments.c.text, comments.c.created_at]
    new = insert(comments).from_select(columns, values)
    return new.returning(comments.c.id, comments.c.created_at).cte("new_comment")


def _update(fields: Set[str], unchanged: CTE, moment: CTE, comment: CTE | None) -> CTE:
    """Return the update of the ticket.

    It counts the new comment, and so waits until that is inserted: the guard refuses comments on a closed ticket.
    """
    updated_at = func.greatest(tickets.c.updated_at, moment.c.at)
    values: dict[str, Any] = {field: _new_value(field) for field in sorted(fields)}
    values |= {"version": tickets.c.version + _ONE, "updated_at": updated_at}
    if "status" in fields:
        is_closed = _new_value("status") == constant(TicketStatus.CLOSED)
        values["closed_at"] = case((is_closed, updated_at), else_=null())
    if comment is not None:
        added = select(cast(func.count(), Integer).label("comments")).select_from(comment).subquery("added")
        values["comment_count"] = tickets.c.comment_count + added.c.comments
    return update(tickets).values(values).where(tickets.c.id == unchanged.c.id).returning(*tickets.c).cte("saved")


def _new_value(field: str) -> ColumnElement[Any]:
    return bindparam(field_parameter(field), type_=tickets.c[field].type)


def _event(saved: CTE, data: ColumnElement[Any], *others: CTE) -> CTE:
    columns = {
        events.c.ticket_id: saved.c.id,
        events.c.version: saved.c.version,
        events.c.type: bindparam("type", type_=Text),
        events.c.data: data,
        events.c.audience: bindparam("audience", type_=Text),
        events.c.actor: bindparam("actor", type_=Text),
        events.c.created_at: saved.c.updated_at,
    }
    return insert(events).from_select(list(columns), select(*columns.values()).select_from(saved, *others)).cte("event")


def _create_statement() -> Statement:
    """Return the statement that inserts a ticket and its first event; parameters as in a TicketCreate, and `actor`."""
    values = {field: _new_value(field) for field in TicketCreate.model_fields}
    created = insert(tickets).values(values).returning(*tickets.c).cte("created")
    columns = {
        events.c.ticket_id: created.c.id,
        events.c.version: created.c.version,
        events.c.type: constant(EventType.CREATED),
        events.c.actor: bindparam("actor", type_=Text),
        events.c.created_at: created.c.created_at,
    }
    event = insert(events).from_select(list(columns), select(*columns.values())).cte("event")
    return Statement(select(*created.c).add_cte(event))


CREATE: Final = _create_statement()


def _select_details() -> Statement:
    listed = select(*comment_members(shown := _shown_comments())).order_by(shown.c.id).subquery("listed")
    discussion = select(joined(listed).label("members"), func.count().label("shown")).subquery("discussion").lateral()
    array = constant("[").op("||")(func.coalesce(discussion.c.members, constant(""))).op("||")(constant("]"))
    members = select(
        *ticket_members(tickets),
        cast(array, JSON).label("comments"),
        (tickets.c.comment_count > discussion.c.shown).label("comments_truncated"),
    )
    found = members.select_from(tickets.join(discussion, true())).where(tickets.c.id == ticket_id)
    details = found.subquery("details")
    body = as_bytes(cast(func.row_to_json(details.table_valued()), Text))
    return Statement(select(details.c.version, body.label("body")))


def _shown_comments() -> Subquery:
    """Return the comments that a lookup shows. PostgreSQL knows the size of a text without reading it."""
    newest_first = select(*comments.c).where(comments.c.ticket_id == ticket_id).order_by(comments.c.id.desc())
    latest = newest_first.limit(literal_column(str(MAX_COMMENTS))).subquery("latest")
    size = func.octet_length(latest.c.text, type_=Integer)
    total = func.sum(size).over(order_by=latest.c.id.desc(), rows=(None, 0))
    measured = select(*latest.c, size.label("size"), total.label("total")).subquery("measured")
    fits = measured.c.total <= literal_column(str(MAX_COMMENTS_BYTES), Integer)
    return select(*measured.c).where(or_(fits, measured.c.total == measured.c.size)).subquery("shown")


SELECT_DETAILS: Final = _select_details()

_IF_VISIBLE: Final = exists().where(tickets.c.id == ticket_id, VISIBLE_TO)
_AFTER: Final = bindparam("after", type_=BigInteger)
_LIMIT: Final = bindparam("limit", type_=Integer)

PAGE_OF_COMMENTS: Final = Statement(
    select(comments.c.id, comments.c.ticket_id, comments.c.email, comments.c.text, comments.c.created_at)
    .where(comments.c.ticket_id == ticket_id, comments.c.id > _AFTER, _IF_VISIBLE)
    .order_by(comments.c.id)
    .limit(_LIMIT)
)

PAGE_OF_EVENTS: Final = Statement(
    select(
        events.c.version,
        events.c.type,
        cast(events.c.data, Text).label("data"),
        events.c.actor,
        events.c.created_at,
    )
    .where(and_(events.c.ticket_id == ticket_id, events.c.version > _AFTER), _EVENT_VISIBLE_TO, _IF_VISIBLE)
    .order_by(events.c.version)
    .limit(_LIMIT)
)

IS_VISIBLE: Final = Statement(select(_ONE).where(tickets.c.id == ticket_id, VISIBLE_TO))
