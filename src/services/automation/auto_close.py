"""The automatic close: a ticket that stays `answered` is closed, after its requester was warned.

The times are elapsed time, not working time. A comment of a requester and every transition clear the plan; a comment of
an agent begins it again. The close comes at least the full notice after the warning, however late that was.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from models import Audience, TicketStatus
from services.access.principal import Principal
from services.tickets.edited_ticket import EditedTicket

FACT: Final = "auto_close_at"


@dataclass(frozen=True, slots=True)
class AutoCloseTimes:
    """After how many seconds in `answered` tickets are closed; 0 means never. `by_group` overrides `after_s`."""

    after_s: int
    notice_s: int
    by_group: Mapping[int, int] = field(default_factory=dict)

    def after(self, group_id: int | None) -> timedelta | None:
        """Return the time after which a ticket of a group is closed, at least the notice; None if it is not."""
        seconds = self.after_s if group_id is None else self.by_group.get(group_id, self.after_s)
        return timedelta(seconds=max(seconds, self.notice_s)) if seconds else None

    @property
    def notice(self) -> timedelta:
        """The time between the warning and the close, at least."""
        return timedelta(seconds=self.notice_s)


def next_at(ticket: EditedTicket, times: AutoCloseTimes) -> datetime | None:
    """Return the time of the warning or of the close of a ticket; None if none is planned."""
    close_at: datetime | None = ticket["auto_close_at"]
    if close_at is None or ticket["close_warned_at"] is not None:
        return close_at
    return close_at - times.notice


def replan(ticket: EditedTicket, times: AutoCloseTimes, principal: Principal) -> None:
    """Plan the close, or clear the plan, as the change of the ticket requires."""
    if ticket.transition is not None:
        plan(ticket, times.after(ticket["group_id"]) if ticket.status is TicketStatus.ANSWERED else None)
        return
    comment = ticket.new_comment
    if ticket.status is not TicketStatus.ANSWERED or comment is None or comment.visibility is not Audience.PUBLIC:
        return
    # Not the comparison that decides on rights, which PostgreSQL alone makes. A plan too few does no harm.
    addresses = {address.casefold() for address in (ticket["email"], *ticket["participants"])}
    is_of_requester = principal.requester_email is not None or comment.email.casefold() in addresses
    plan(ticket, None if is_of_requester else times.after(ticket["group_id"]))


def plan(ticket: EditedTicket, after: timedelta | None) -> None:
    """Plan the close of a ticket after some time; None clears the plan."""
    set_close_at(ticket, None if after is None else ticket.at + after)
    ticket.put({"close_warned_at": None})


def set_close_at(ticket: EditedTicket, close_at: datetime | None) -> None:
    """Set the time of the close, and show it in the event."""
    before: datetime | None = ticket["auto_close_at"]
    if before != close_at:
        ticket.put({"auto_close_at": close_at})
        ticket.record(FACT, before, close_at, Audience.PUBLIC)
