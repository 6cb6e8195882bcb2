"""The types of the events that readers get."""

from enum import StrEnum


class EventKind(StrEnum):
    """The type of a CloudEvent. An event with several facts has the first type of this order that applies."""

    CREATED = "ticket.created"
    MERGED = "ticket.merged"
    LINKED = "ticket.linked"
    COMMENTED = "ticket.commented"
    NOTED = "ticket.noted"
    SLA_WARNED = "ticket.sla_warned"
    SLA_BREACHED = "ticket.sla_breached"
    CLOSE_WARNED = "ticket.close_warned"
    REMINDED = "ticket.reminded"
    TRANSITIONED = "ticket.transitioned"
    ASSIGNED = "ticket.assigned"
    TAGGED = "ticket.tagged"
    CHANGED = "ticket.changed"
    WEBHOOK_DISABLED = "webhook.disabled"
