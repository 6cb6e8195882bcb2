"""What the page of a ticket shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from desk import words
from desk.desk_request import DeskRequest
from desk.refusals import Refusal
from desk.sending import Writing
from desk.ticket_form import shown_value
from desk.times import Clock, ShownTime
from models import Audience, LinkType, TicketStatus
from schemas.clocks import SlaClock
from schemas.tickets import Comment, TicketDetails


@dataclass(frozen=True, slots=True)
class Message:
    """The text of the ticket, without an id, or one of its comments."""

    id: int | None
    email: str
    text: str
    at: ShownTime
    is_note: bool
    is_of_requester: bool


@dataclass(frozen=True, slots=True)
class ShownClock:
    """A clock of the service levels, and what it waits for."""

    name: str
    state: str
    due: ShownTime | None
    css: str


@dataclass(frozen=True, slots=True)
class TicketView:
    """A ticket, in the language and the zone of the reader."""

    ticket: TicketDetails
    messages: Sequence[Message]
    created: ShownTime
    updated: ShownTime
    closed: ShownTime | None
    auto_close: ShownTime | None
    status_word: str
    priority_word: str
    assignee: str
    is_mine: bool
    group: str
    custom: Sequence[tuple[str, str]]
    clocks: Sequence[ShownClock]
    links: Sequence[tuple[str, str, int]]
    transitions: Sequence[tuple[str, str]]
    sends: Sequence[tuple[str, str]]

    @property
    def is_closed(self) -> bool:
        """Whether the ticket takes no more changes."""
        return self.ticket.status is TicketStatus.CLOSED


async def ticket_view(asked: DeskRequest, ticket_id: int, *, is_fresh: bool = False) -> TicketView:
    """Return the view of a ticket; `is_fresh` reads past the cache. Raises what the lookup raises."""
    stored, _ = await asked.services.tickets.look_up(ticket_id, asked.principal, bypass_cache=is_fresh)
    ticket = TicketDetails.model_validate_json(stored.body)
    staff = await asked.services.staff.current()
    labels = await _labels(asked) if ticket.custom else {}
    clock, text = asked.clock, asked.text
    return TicketView(
        ticket=ticket,
        messages=_messages(asked, ticket),
        created=clock.show(ticket.created_at),
        updated=clock.show(ticket.updated_at),
        closed=clock.show_or_none(ticket.closed_at),
        auto_close=clock.show_or_none(ticket.auto_close_at),
        status_word=text(words.STATUSES[ticket.status]),
        priority_word=text(words.PRIORITIES[ticket.priority]),
        assignee="" if ticket.assignee_id is None else staff.name_of(ticket.assignee_id),
        is_mine=ticket.assignee_id == asked.principal.id,
        group="" if ticket.group_id is None else staff.group_name(ticket.group_id),
        custom=[(labels.get(key, key), shown_value(value)) for key, value in ticket.custom.items()],
        clocks=[_clock(asked, each) for each in ticket.sla],
        links=[(link.type, text(words.LINKS[link.type]), link.ticket_id) for link in ticket.links],
        transitions=[(status, text(words.TRANSITIONS[status])) for status in ticket.allowed_transitions],
        sends=[(status, text(words.SENDS[status])) for status in ticket.allowed_transitions],
    )


def ticket_page_context(
    view: TicketView, writing: Writing, refusal: Refusal | None = None, part: str = ""
) -> dict[str, Any]:
    """Return the context of the template of a ticket."""
    return {
        "view": view,
        "writing": writing,
        "composer": writing.composer,
        "refusal": refusal,
        "part": part,
        "link_types": [(link, words.LINKS[link]) for link in LinkType],
    }


def _messages(asked: DeskRequest, ticket: TicketDetails) -> list[Message]:
    clock = asked.clock
    first = Message(None, ticket.email, ticket.text, clock.show(ticket.created_at), is_note=False, is_of_requester=True)
    return [first, *(message_of(comment, clock, ticket.email) for comment in ticket.comments)]


def message_of(comment: Comment, clock: Clock, requester: str) -> Message:
    """Return a comment as pages show it."""
    return Message(
        comment.id,
        comment.email,
        comment.text,
        clock.show(comment.created_at),
        is_note=comment.visibility is Audience.INTERNAL,
        is_of_requester=comment.email == requester,
    )


async def _labels(asked: DeskRequest) -> dict[str, str]:
    return {each.key: each.label for each in (await asked.services.fields.all(asked.principal)).items}


def _clock(asked: DeskRequest, clock: SlaClock) -> ShownClock:
    is_over = clock.breached_at is not None
    css = "breached" if is_over else "risk" if clock.warned_at is not None and clock.met_at is None else ""
    return ShownClock(
        asked.text(words.CLOCKS[clock.kind]),
        asked.text(words.CLOCK_STATES[clock.state]),
        asked.clock.show_or_none(clock.due_at),
        css,
    )
