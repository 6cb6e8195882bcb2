"""The words of the desk for values of the API, to be translated where they are shown."""

from collections.abc import Mapping
from typing import Final

from desk.languages import N_
from models import ClockKind, LinkType, Priority, TicketStatus
from schemas.clocks import ClockState

STATUSES: Final[Mapping[str, str]] = {
    TicketStatus.OPEN: N_("Open"),
    TicketStatus.ANSWERED: N_("Answered"),
    TicketStatus.AWAITING_REPLY: N_("Awaiting reply"),
    TicketStatus.CLOSED: N_("Closed"),
}
TRANSITIONS: Final[Mapping[str, str]] = {
    TicketStatus.OPEN: N_("Reopen"),
    TicketStatus.ANSWERED: N_("Mark as answered"),
    TicketStatus.AWAITING_REPLY: N_("Mark as awaiting reply"),
    TicketStatus.CLOSED: N_("Close"),
}
SENDS: Final[Mapping[str, str]] = {
    TicketStatus.OPEN: N_("Send and reopen"),
    TicketStatus.ANSWERED: N_("Send and mark as answered"),
    TicketStatus.AWAITING_REPLY: N_("Send and await reply"),
    TicketStatus.CLOSED: N_("Send and close"),
}
PRIORITIES: Final[Mapping[str, str]] = {
    Priority.URGENT: N_("Urgent"),
    Priority.HIGH: N_("High"),
    Priority.NORMAL: N_("Normal"),
    Priority.LOW: N_("Low"),
}
SORTS: Final[Mapping[str, str]] = {
    "-id": N_("Newest first"),
    "id": N_("Oldest first"),
    "-updated_at": N_("Latest change first"),
    "updated_at": N_("Earliest change first"),
    "-created_at": N_("Latest creation first"),
    "created_at": N_("Earliest creation first"),
    "priority": N_("Most urgent first"),
    "due": N_("Due first"),
}
CLOCKS: Final[Mapping[str, str]] = {
    ClockKind.FIRST_RESPONSE: N_("First response"),
    ClockKind.NEXT_RESPONSE: N_("Next response"),
    ClockKind.RESOLUTION: N_("Resolution"),
}
CLOCK_STATES: Final[Mapping[str, str]] = {
    ClockState.RUNNING: N_("waits for an agent"),
    ClockState.PAUSED: N_("paused: waits for the requester"),
    ClockState.MET: N_("met"),
    ClockState.BREACHED: N_("breached"),
    ClockState.SUSPENDED: N_("suspended"),
}
SLA_STATES: Final[Mapping[str, str]] = {"breached": N_("Breached"), "at_risk": N_("At risk")}
LINKS: Final[Mapping[str, str]] = {
    LinkType.RELATES_TO: N_("relates to"),
    LinkType.DUPLICATES: N_("duplicates"),
    LinkType.DUPLICATED_BY: N_("is duplicated by"),
    LinkType.BLOCKS: N_("blocks"),
    LinkType.BLOCKED_BY: N_("is blocked by"),
}
FIELDS: Final[Mapping[str, str]] = {
    "subject": N_("Subject"),
    "text": N_("Text"),
    "email": N_("Requester"),
    "status": N_("Status"),
    "priority": N_("Priority"),
    "assignee_id": N_("Assignee"),
    "group_id": N_("Group"),
    "tags": N_("Tags"),
    "participants": N_("Participants"),
    "merged_into": N_("Merged into"),
    "auto_close_at": N_("Closes by itself at"),
    "name": N_("Name"),
    "action": N_("Change"),
    "title": N_("Title"),
    "shortcut": N_("Shortcut"),
    "role": N_("Role"),
    "zone": N_("Time zone"),
    "language": N_("Language"),
    "members": N_("Members"),
    "label": N_("Name"),
    "key": N_("Key"),
    "options": N_("Options"),
    "to": N_("New name"),
    "weekly": N_("Working hours"),
    "exceptions": N_("Holidays and other exceptions"),
    "calendar_id": N_("Calendar"),
    "match": N_("Conditions"),
    "actions": N_("Actions"),
    "events": N_("Events"),
    "position": N_("Position"),
    "url": N_("Address"),
    "types": N_("Events"),
    "secret": N_("Secret"),
    "expires_at": N_("Valid until the day before"),
}
EVENTS: Final[Mapping[str, str]] = {
    "created": N_("created the ticket"),
    "changed": N_("changed the ticket"),
    "commented": N_("replied"),
    "noted": N_("wrote a note"),
    "linked": N_("changed the links"),
    "merged": N_("merged tickets"),
    "sla_warned": N_("a service level is at risk"),
    "sla_breached": N_("a service level was breached"),
    "close_warned": N_("the ticket will be closed by itself"),
    "reminded": N_("a reminder is due"),
}
FACTS: Final[Mapping[str, str]] = {
    "follow_up_id": N_("Follow-up"),
    "merged_from": N_("Merged from"),
    "unmerged_from": N_("Taken out"),
    "link_added": N_("New link"),
    "link_removed": N_("Removed link"),
    "closes_at": N_("Closes by itself at"),
    "sla_clock": N_("Service level"),
    "reminder": N_("Reminder"),
    "repaired": N_("Corrected"),
    "applied_rules": N_("Rules"),
}
