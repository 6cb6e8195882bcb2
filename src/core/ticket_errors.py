"""The errors of what agents do with tickets: assignment, tags, participants, links, merges, follow-ups and reminders.

Like those of `core.errors`, they do not depend on HTTP.
"""

from core.errors import ServiceError


class TicketNotClosed(ServiceError):
    """The ticket is not closed: it accepts comments, and needs no follow-up."""

    def __init__(self, ticket_id: int) -> None:
        super().__init__(f"ticket {ticket_id} is not closed")


class AlreadyAssigned(ServiceError):
    """Another principal, `assignee_id`, has the ticket."""

    def __init__(self, assignee_id: str) -> None:
        super().__init__(f"the ticket is assigned to {assignee_id}")
        self.assignee_id = assignee_id


class ExternalIdTaken(ServiceError):
    """Another ticket has this external id of this source."""


class TooManyTickets(ServiceError):
    """The request concerns more tickets than one request may change."""


class TooManyTags(ServiceError):
    """The ticket has the maximum number of tags."""


class TooManyParticipants(ServiceError):
    """The ticket has the maximum number of participants."""


class TooManyLinks(ServiceError):
    """One of the tickets has the maximum number of links."""


class ReminderNotFound(ServiceError):
    """The caller has no reminder on the ticket."""

    def __init__(self, ticket_id: int) -> None:
        super().__init__(f"no reminder on ticket {ticket_id}")


class RemindAtRefused(ServiceError):
    """The time of a reminder is not in the future, or too far ahead."""


class LinkToItself(ServiceError):
    """A ticket cannot be linked to itself."""


class MergeNotPossible(ServiceError):
    """The two tickets cannot be merged.

    `reason` is `already-merged`, `target-closed`, `leads-back` (from the target to the ticket) or
    `too-many-participants`.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class NotMerged(ServiceError):
    """The ticket is not merged."""

    def __init__(self, ticket_id: int) -> None:
        super().__init__(f"ticket {ticket_id} is not merged")


class MergeTooOld(ServiceError):
    """The merge is too old to be undone."""

    def __init__(self, ticket_id: int) -> None:
        super().__init__(f"the merge of ticket {ticket_id} is too old to be undone")
