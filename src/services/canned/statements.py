"""The statements of canned replies. Those that read take the caller, and whether it is an admin, who sees all.

LOCK, COUNT        serialize the creation, and count all replies
PAGE, FIND, LOCKED the replies that the caller sees: a page, one, and one locked for a change
CREATE, SAVE,      write a reply
DELETE
MAY_USE_GROUP      whether a group is active, and the caller a member or an admin
VALUES             the values of the variables
"""

from typing import Final

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Integer,
    Text,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from db.postgres.statements import Statement, constant, given
from models import CannedReply, PrincipalKind, table_of
from services.access.email_addresses import email_key
from services.directory.statements import groups, members, principals
from services.tickets.statements import ticket_id, tickets

SETTINGS: Final = ("title", "shortcut", "text", "group_id")
UNIQUE_SHORTCUT: Final = "uq_canned_replies_shortcut"

replies: Final = table_of(CannedReply)
_ONE: Final = literal_column("1", Integer)
_CALLER: Final = bindparam("caller", type_=Text)
_IS_ADMIN: Final = bindparam("is_admin", type_=Boolean)
_ID: Final = replies.c.id == given(replies.c.id)
_Q: Final = bindparam("q", type_=Text)
_AFTER: Final = bindparam("after", type_=Text)


def _is_member_of(group_id: ColumnElement[int]) -> ColumnElement[bool]:
    return exists().where(members.c.group_id == group_id, members.c.principal_id == _CALLER)


_IS_SEEN: Final = or_(_IS_ADMIN, replies.c.group_id.is_(None), _is_member_of(replies.c.group_id))
_SEEN: Final = select(*replies.c).where(_IS_SEEN)
_MATCHES: Final = or_(
    _Q.is_(None),
    func.starts_with(replies.c.shortcut, func.lower(_Q)),
    func.strpos(func.lower(replies.c.title), func.lower(_Q)) > literal_column("0", Integer),
)

LOCK: Final = Statement(select(func.pg_advisory_xact_lock(literal_column("7415530162"))))
COUNT: Final = Statement(select(func.count()).select_from(replies))
PAGE: Final = Statement(
    _SEEN.where(_MATCHES, or_(_AFTER.is_(None), replies.c.shortcut > _AFTER))
    .order_by(replies.c.shortcut)
    .limit(bindparam("limit", type_=Integer))
)
FIND: Final = Statement(_SEEN.where(_ID))
LOCKED: Final = Statement(_SEEN.where(_ID).with_for_update())
CREATE: Final = Statement(
    insert(replies).values({name: given(replies.c[name]) for name in SETTINGS}).returning(*replies.c)
)
SAVE: Final = Statement(
    update(replies)
    .values({name: given(replies.c[name]) for name in SETTINGS})
    .values(version=replies.c.version + _ONE, updated_at=func.now())
    .where(_ID)
    .returning(*replies.c)
)
DELETE: Final = Statement(delete(replies).where(_ID))
MAY_USE_GROUP: Final = Statement(
    select(groups.c.active, or_(_IS_ADMIN, _is_member_of(groups.c.id)).label("may_use")).where(
        groups.c.id == given(groups.c.id)
    )
)


def _values() -> Statement:
    """Return the statement of VALUES: one row, with a column for each variable, if there is the ticket."""
    requester, assignee, me = (principals.alias(name) for name in ("requester", "assignee", "me"))
    is_requester = and_(
        requester.c.kind == constant(PrincipalKind.PERSON), email_key(requester.c.email) == email_key(tickets.c.email)
    )
    joined = (
        tickets.outerjoin(requester, is_requester)
        .outerjoin(assignee, assignee.c.id == tickets.c.assignee_id)
        .outerjoin(groups, groups.c.id == tickets.c.group_id)
        .outerjoin(me, me.c.id == _CALLER)
    )
    columns = {
        **{f"ticket.{name}": tickets.c[name] for name in ("id", "subject", "status", "priority")},
        "ticket.requester.name": requester.c.name,
        "ticket.requester.email": tickets.c.email,
        "ticket.assignee.name": assignee.c.name,
        "ticket.group.name": groups.c.name,
        "me.name": me.c.name,
        "me.email": me.c.email,
    }
    named = [column.label(name) for name, column in columns.items()]
    return Statement(select(*named).select_from(joined).where(tickets.c.id == ticket_id))


VALUES: Final = _values()
