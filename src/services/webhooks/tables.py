"""The tables of webhooks, and the conditions and intervals that several of their statements share."""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    Integer,
    and_,
    bindparam,
    case,
    false,
    func,
    literal_column,
    or_,
)

from db.postgres.statements import constant
from models import (
    Audience,
    EventLogEntry,
    EventPublisher,
    Principal,
    Role,
    SystemEvent,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookReplay,
    WebhookState,
    table_of,
)
from services.tickets.statements import events, visible_to

endpoints: Final = table_of(WebhookEndpoint)
deliveries: Final = table_of(WebhookDelivery)
attempts: Final = table_of(WebhookAttempt)
replays: Final = table_of(WebhookReplay)
log: Final = table_of(EventLogEntry)
publisher: Final = table_of(EventPublisher)
system: Final = table_of(SystemEvent)
owners: Final = table_of(Principal).alias("owners")

ZERO: Final = literal_column("0", Integer)
ONE: Final = literal_column("1", Integer)
ENDPOINT_ID: Final = bindparam("endpoint_id", type_=BigInteger)
LIMIT: Final = bindparam("limit", type_=Integer)

# The owner of an endpoint that has left gets nothing: what happens meanwhile is sent once the owner is active again.
IS_ON: Final = and_(
    endpoints.c.state == constant(WebhookState.ON),
    endpoints.c.deleted_at.is_(None),
    owners.c.id == endpoints.c.principal_id,
    owners.c.active,
)
SEES_ALL: Final = owners.c.role.in_([constant(Role.ADMIN), constant(Role.AGENT)])
# By the role that the owner has now, over an event and its ticket.
OWNER_SEES: Final = or_(
    SEES_ALL,
    and_(
        owners.c.role == constant(Role.REQUESTER),
        events.c.audience == constant(Audience.PUBLIC),
        func.coalesce(visible_to(owners.c.email), false()),
    ),
)
AUDIENCE: Final = case((SEES_ALL, constant(Audience.INTERNAL)), else_=constant(Audience.PUBLIC))


def seconds(name: str) -> ColumnElement[Any]:
    """Return an interval of as many seconds as the parameter says."""
    return interval(bindparam(name, type_=Float))


def interval(length_s: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return an interval of a number of seconds."""
    return func.make_interval(ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, length_s)
