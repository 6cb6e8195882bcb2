"""The entities as SQLAlchemy tables; the schema is declared only here."""

from models.api_key import ApiKey
from models.audience import Audience
from models.base import Base, table_of
from models.bulk_run import BulkRun
from models.calendar import Calendar
from models.canned_reply import CannedReply
from models.clock_kind import ClockKind, SlaState
from models.comment import Comment
from models.custom_field import CustomField, FieldType, RequiredAt
from models.draft import Draft, DraftKind
from models.event_kind import EventKind
from models.event_log import EventLogEntry, EventPublisher
from models.fence_group import FENCE_GROUPS, FenceGroup, FenceState
from models.group import Group, GroupMember
from models.idempotency_key import IdempotencyKey
from models.principal import PERSON_NUMBERS, Principal, PrincipalKind, Role, RoleSource, Scope
from models.reminder import Reminder
from models.rule import AssignBy, Rule, RuleEvent
from models.saved_view import SavedView
from models.search_document import RecentWords, SearchDocument
from models.service_secret import ServiceSecret
from models.sign_in import (
    PersonCredentials,
    PersonSession,
    RecoveryCode,
    SetUp,
    SignInMethod,
    SignInToken,
    SignInTokenPurpose,
)
from models.sla_policy import SlaPolicy
from models.system_event import SYSTEM_TICKET_ID, SystemEvent, SystemEventType
from models.ticket import Priority, Ticket, TicketStatus
from models.ticket_event import EventType, TicketEvent
from models.ticket_facet import TicketFacet
from models.ticket_link import LinkType, TicketLink
from models.ticket_numbers import NumberHour, NumberKind, NumberMetric, NumberState
from models.webhook import (
    DeliveryReason,
    DeliveryState,
    ReplayState,
    WebhookAttempt,
    WebhookDelivery,
    WebhookDetail,
    WebhookEndpoint,
    WebhookReplay,
    WebhookState,
)

__all__ = [
    "FENCE_GROUPS",
    "PERSON_NUMBERS",
    "SYSTEM_TICKET_ID",
    "ApiKey",
    "AssignBy",
    "Audience",
    "Base",
    "BulkRun",
    "Calendar",
    "CannedReply",
    "ClockKind",
    "Comment",
    "CustomField",
    "DeliveryReason",
    "DeliveryState",
    "Draft",
    "DraftKind",
    "EventKind",
    "EventLogEntry",
    "EventPublisher",
    "EventType",
    "FenceGroup",
    "FenceState",
    "FieldType",
    "Group",
    "GroupMember",
    "IdempotencyKey",
    "LinkType",
    "NumberHour",
    "NumberKind",
    "NumberMetric",
    "NumberState",
    "PersonCredentials",
    "PersonSession",
    "Principal",
    "PrincipalKind",
    "Priority",
    "RecentWords",
    "RecoveryCode",
    "Reminder",
    "ReplayState",
    "RequiredAt",
    "Role",
    "RoleSource",
    "Rule",
    "RuleEvent",
    "SavedView",
    "Scope",
    "SearchDocument",
    "ServiceSecret",
    "SetUp",
    "SignInMethod",
    "SignInToken",
    "SignInTokenPurpose",
    "SlaPolicy",
    "SlaState",
    "SystemEvent",
    "SystemEventType",
    "Ticket",
    "TicketEvent",
    "TicketFacet",
    "TicketLink",
    "TicketStatus",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookDetail",
    "WebhookEndpoint",
    "WebhookReplay",
    "WebhookState",
    "table_of",
]
