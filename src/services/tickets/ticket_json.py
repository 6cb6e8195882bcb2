"""Tickets and comments as JSON that PostgreSQL writes, for lookups and lists: the most frequent requests.

Building a model of each row and serializing it took most of the 1,150 µs of CPU time that a page of 50 tickets cost; it
takes 300 µs now, and PostgreSQL takes 150 µs more. The members and their order come from the models in
`schemas.tickets`, their values from the tables: a member that is no column fails at import. A test compares both forms
byte by byte.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    DateTime,
    FromClause,
    LargeBinary,
    Select,
    Subquery,
    Text,
    and_,
    case,
    cast,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import JSON

from db.postgres.statements import constant
from models import Audience, CustomField, TicketStatus, table_of
from schemas.tickets import INTERNAL_MEMBERS, Comment, Ticket
from services.tickets.ticket_status import allowed_from

_fields: Final = table_of(CustomField)
_TIME_FORMAT: Final = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'

Members = Sequence[ColumnElement[Any]]
Member = Callable[[FromClause], ColumnElement[Any]]


def ticket_members(rows: FromClause, audience: Audience = Audience.INTERNAL) -> Members:
    """Return the members of a ticket, selected from rows that have the columns of the tickets."""
    if audience is Audience.INTERNAL:
        return _members(Ticket.model_fields, rows, {"allowed_transitions": _allowed_transitions})
    names = [name for name in Ticket.model_fields if name not in INTERNAL_MEMBERS]
    return _members(names, rows, {"allowed_transitions": _allowed_transitions, **_PUBLIC})


def comment_members(rows: FromClause) -> Members:
    """Return the members of a comment, selected from rows that have the columns of the comments."""
    return _members(Comment.model_fields, rows, {})


def json_list(rows: Select[Any]) -> ColumnElement[str]:
    """Return the rows of a query as the members of a JSON array, comma-separated, in their order; NULL without rows."""
    return select(joined(rows.subquery("listed"))).scalar_subquery()


def joined(rows: Subquery) -> ColumnElement[str]:
    """Return the aggregate that makes the rows of a subquery the members of a JSON array; NULL without rows."""
    text = cast(func.row_to_json(rows.table_valued()), Text)
    return func.string_agg(text, constant(","), type_=Text)


def as_bytes(json_text: ColumnElement[str]) -> ColumnElement[bytes]:
    """Return JSON text as the bytes that are sent: the driver would decode text, which would then be encoded again."""
    return func.convert_to(json_text, constant("UTF8"), type_=LargeBinary)


def _members(names: Iterable[str], rows: FromClause, computed: Mapping[str, Member]) -> Members:
    return [computed[name](rows) if name in computed else _member(rows.c[name]) for name in names]


def _member(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a column as JSON shows it: a time in UTC (RFC 3339), independent of the time zone of the session."""
    if column.key == "sla":
        return func.coalesce(column, cast(constant("[]"), JSON)).label(column.key)
    if isinstance(column.type, DateTime):
        in_utc = func.timezone(constant("UTC"), column)
        return func.to_char(in_utc, constant(_TIME_FORMAT)).label(column.key)
    return column


def _allowed_transitions(rows: FromClause) -> ColumnElement[Any]:
    lists = {status: json.dumps(allowed_from(status), separators=(",", ":")) for status in TicketStatus}
    cases = [(rows.c.status == constant(status), cast(constant(allowed), JSON)) for status, allowed in lists.items()]
    return case(*cases).label("allowed_transitions")


def _public_custom(rows: FromClause) -> ColumnElement[Any]:
    """Return the values of the custom fields that requesters see."""
    value = func.jsonb_each(rows.c.custom).table_valued("key", "value").render_derived(name="value")
    is_visible = and_(_fields.c.key == value.c.key, _fields.c.visible_to_requester)
    visible = select(func.jsonb_object_agg(value.c.key, value.c.value)).select_from(value.join(_fields, is_visible))
    empty = cast(constant("{}"), JSONB)
    found = func.coalesce(visible.scalar_subquery(), empty)
    return case((rows.c.custom == empty, empty), else_=found).label("custom")


def _public_count(rows: FromClause) -> ColumnElement[Any]:
    return (rows.c.comment_count - rows.c.note_count).label("comment_count")


_PUBLIC: Final[Mapping[str, Member]] = {"custom": _public_custom, "comment_count": _public_count}
