"""The entities as SQLAlchemy tables; the schema is declared only here."""

from models.api_key import ApiKey
from models.base import Base, table_of
from models.comment import Comment
from models.fence_group import FENCE_GROUPS, FenceGroup, FenceState
from models.group import Group, GroupMember
from models.idempotency_key import IdempotencyKey
from models.principal import PERSON_NUMBERS, Principal, PrincipalKind, Role, RoleSource, Scope
from models.search_document import RecentWords, SearchDocument
from models.service_secret import ServiceSecret
from models.ticket import Ticket, TicketStatus
from models.ticket_event import Audience, EventType, TicketEvent

__all__ = [
    "FENCE_GROUPS",
    "PERSON_NUMBERS",
    "ApiKey",
    "Audience",
    "Base",
    "Comment",
    "EventType",
    "FenceGroup",
    "FenceState",
    "Group",
    "GroupMember",
    "IdempotencyKey",
    "Principal",
    "PrincipalKind",
    "RecentWords",
    "Role",
    "RoleSource",
    "Scope",
    "SearchDocument",
    "ServiceSecret",
    "Ticket",
    "TicketEvent",
    "TicketStatus",
    "table_of",
]
