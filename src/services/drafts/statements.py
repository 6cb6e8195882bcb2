"""The statements of drafts.

SAVE, CONTINUE    save a draft, unless a newer one is stored or it is being sent; CONTINUE creates none
FIND, OF_TICKET,  the drafts of a principal: one, those on a ticket, and all, the latest first
OF_PRINCIPAL
RECALL, DISCARD   call a draft back before it is sent; delete it
DUE               the drafts that are to be sent now
TAKE, REFUSE      delete a draft in the transaction that commits its comment; store why it was not sent
FORGET            deletes the draft of a comment that was sent at once
COMMENTED_SINCE   whether a ticket has a public comment after a version
STATUS_OF         the status of a ticket
"""

from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    Double,
    Integer,
    Text,
    and_,
    bindparam,
    cast,
    delete,
    exists,
    func,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from db.postgres.statements import Statement, constant, given
from models import Audience, Draft, table_of
from schemas.drafts import Draft as ShownDraft
from services.tickets.statements import events, tickets

drafts: Final = table_of(Draft)

_TIME: Final = DateTime(timezone=True)
_CLOCK: Final = func.service_clock(type_=_TIME)
# A subquery: an index cannot be searched for a value that might change from row to row.
_NOW: Final = select(_CLOCK).scalar_subquery()
_SHOWN: Final = tuple(drafts.c[name] for name in ShownDraft.model_fields)
_IS_OWN: Final = drafts.c.principal_id == given(drafts.c.principal_id)
_OF_TICKET: Final = and_(_IS_OWN, drafts.c.ticket_id == given(drafts.c.ticket_id))
_THIS: Final = and_(_OF_TICKET, drafts.c.kind == given(drafts.c.kind))
_IS_SENT: Final = drafts.c.send_at.is_not(None)
_AS_SENT: Final = and_(drafts.c.id == given(drafts.c.id), drafts.c.counter == given(drafts.c.counter), _IS_SENT)

_TYPED: Final = ("email", "text", "status", "counter", "base_version", "refusal", "send_key")
# NULL without a delay: the draft is not sent.
_SEND_AT: Final = _CLOCK + func.make_interval(
    *(literal_column("0", Integer) for _ in range(6)), bindparam("delay_s", type_=Double)
)
_WRITTEN: Final = {name: given(drafts.c[name]) for name in _TYPED} | {"saved_at": _CLOCK, "send_at": _SEND_AT}


def _save() -> Statement:
    names = ("principal_id", "kind")
    values = {name: given(drafts.c[name]) for name in names} | _WRITTEN
    given_ticket = tickets.c.id == given(drafts.c.ticket_id)
    new = insert(drafts).from_select(
        ["ticket_id", *values], select(tickets.c.id, *values.values()).where(given_ticket), include_defaults=False
    )
    replaced = {name: new.excluded[name] for name in _WRITTEN}
    is_newer = and_(drafts.c.counter < new.excluded.counter, drafts.c.send_at.is_(None))
    key = ("principal_id", "ticket_id", "kind")
    return Statement(new.on_conflict_do_update(index_elements=key, set_=replaced, where=is_newer).returning(*_SHOWN))


SAVE: Final = _save()
CONTINUE: Final = Statement(
    update(drafts)
    .values(_WRITTEN)
    .where(
        _THIS,
        drafts.c.id == bindparam("draft_id", type_=BigInteger),
        drafts.c.counter < given(drafts.c.counter),
        drafts.c.send_at.is_(None),
    )
    .returning(*_SHOWN)
)
FIND: Final = Statement(select(*_SHOWN).where(_THIS))
OF_TICKET: Final = Statement(select(*_SHOWN).where(_OF_TICKET).order_by(drafts.c.kind))
OF_PRINCIPAL: Final = Statement(
    select(*_SHOWN, tickets.c.subject, tickets.c.status.label("ticket_status"))
    .join_from(drafts, tickets, tickets.c.id == drafts.c.ticket_id)
    .where(_IS_OWN)
    .order_by(drafts.c.saved_at.desc(), drafts.c.id.desc())
    .limit(bindparam("limit", type_=Integer))
)
RECALL: Final = Statement(update(drafts).values(send_at=null()).where(_THIS, _IS_SENT).returning(*_SHOWN))
DISCARD: Final = Statement(delete(drafts).where(_THIS, drafts.c.send_at.is_(None)).returning(*_SHOWN))
FORGET: Final = Statement(delete(drafts).where(_THIS))

DUE: Final = Statement(
    select(drafts.c.id.label("key"), drafts.c.principal_id, drafts.c.send_key, *_SHOWN)
    .where(drafts.c.send_at <= _NOW, drafts.c.id != func.all(bindparam("failed", type_=ARRAY(BigInteger))))
    .order_by(drafts.c.send_at)
    .limit(bindparam("limit", type_=Integer))
)
TAKE: Final = Statement(delete(drafts).where(_AS_SENT).returning(drafts.c.id))
REFUSE: Final = Statement(
    update(drafts).values(send_at=null(), refusal=given(drafts.c.refusal)).where(_AS_SENT).returning(drafts.c.id)
)

COMMENTED_SINCE: Final = Statement(
    select(
        exists().where(
            events.c.ticket_id == given(drafts.c.ticket_id),
            events.c.version > given(drafts.c.base_version),
            events.c.audience == constant(Audience.PUBLIC),
            events.c.data.op("?")(cast(constant("comment_id"), Text)),
        )
    )
)
STATUS_OF: Final = Statement(select(tickets.c.status).where(tickets.c.id == given(drafts.c.ticket_id)))
