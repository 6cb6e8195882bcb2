"""Replies, notes and transitions. A form is bound to the version of the ticket that its writer has seen.

Changes of fields that came since do not matter. Public comments do: the form is refused, and the page shows them beside
what was typed.
"""

import json
from collections.abc import Awaitable, Callable, Sequence

from fastapi import Response
from pydantic import ValidationError

from core.errors import VersionMismatch
from desk import merge
from desk.composer import composer_of
from desk.desk_request import DeskRequest
from desk.drafts import ending_draft
from desk.forms import Form
from desk.list_query import invalid
from desk.refusals import Refusal, Refused, refusal_of
from desk.sending import Writing, send_later, writing_on
from desk.ticket_view import ticket_page_context, ticket_view
from models import Audience
from schemas.events import Event
from schemas.tickets import CommentCreate, TicketPatch
from services.idempotency import RetryKey
from services.write_result import WriteResult

# Each attempt begins after another change of the ticket was saved.
ATTEMPTS = 8

Write = Callable[[set[int]], Awaitable[WriteResult]]


class UnseenComments(Exception):
    """Public comments came after the version that the writer has seen."""

    def __init__(self, events: Sequence[Event]) -> None:
        super().__init__()
        self.events = events


async def show_ticket(asked: DeskRequest, ticket_id: int) -> Response:
    """Return the page of a ticket, or the part of it that the query names."""
    view = await ticket_view(asked, ticket_id)
    writing = await writing_on(asked, ticket_id, view.ticket.version)
    part = asked.request.query_params.get("part", "")
    template = "ticket_part.html" if part == "ticket" else "ticket.html"
    return asked.page(template, ticket_page_context(view, writing, part=part))


async def send(asked: DeskRequest, ticket_id: int) -> Response:
    """Add the reply or the note of a form, with its transition, now or soon, and return to the ticket."""
    form = await asked.form()
    try:
        await _comment(asked, ticket_id, form)
    except UnseenComments as unseen:
        return await _conflict(asked, ticket_id, form, unseen.events)
    except Refused as error:
        return await _refused(asked, ticket_id, form, await refusal_of(asked, error))
    return asked.redirect(f"desk/tickets/{ticket_id}#end")


async def move(asked: DeskRequest, ticket_id: int) -> Response:
    """Make the transition of a form, and return to the ticket."""
    form = await asked.form()
    try:
        patch = TicketPatch.model_validate({"status": form.text("status")})
        await _unless_unseen(
            asked, ticket_id, form.number("version"), lambda expected: _move(asked, ticket_id, patch, expected)
        )
    except UnseenComments as unseen:
        return await _conflict(asked, ticket_id, form, unseen.events)
    except ValidationError as error:
        return await _refused(asked, ticket_id, form, await refusal_of(asked, invalid(error, "body")))
    except Refused as error:
        return await _refused(asked, ticket_id, form, await refusal_of(asked, error))
    return asked.redirect(f"desk/tickets/{ticket_id}")


def version_of(form: Form, default: int) -> int:
    """Return the version that a form is bound to; the default for one that is no version."""
    text = form.text("version")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default


async def _move(asked: DeskRequest, ticket_id: int, patch: TicketPatch, expected: set[int]) -> WriteResult:
    return await asked.services.tickets.change(ticket_id, patch, asked.principal, expected=expected)


async def _comment(asked: DeskRequest, ticket_id: int, form: Form) -> None:
    """Add the comment. Raises UnseenComments, RequestValidationError and what the service raises."""
    sent = {
        "email": asked.viewer.email or form.text("email"),
        "text": form.text("text"),
        "visibility": form.text("visibility") or Audience.PUBLIC,
        "status": form.text("status") or None,
    }
    try:
        new = CommentCreate.model_validate(sent)
    except ValidationError as error:
        raise invalid(error, "body") from None
    if form.text("undo") and asked.undo_send_s:
        draft = await send_later(asked, ticket_id, form, new)
        if draft.refusal is not None:
            raise UnseenComments(
                await asked.services.lists.events_after(ticket_id, draft.base_version, asked.principal)
            )
        return
    key = RetryKey(form.text("key"), json.dumps(sent).encode()) if form.text("key") else None

    async def write(expected: set[int] | None) -> WriteResult:
        result, _ = await asked.services.tickets.comment(
            ticket_id,
            new,
            asked.principal,
            expected=expected,
            key=key,
            within=ending_draft(asked, new.visibility),
        )
        return result

    if new.visibility is Audience.INTERNAL:
        await write(None)
    else:
        await _unless_unseen(asked, ticket_id, form.number("version"), write)


async def _unless_unseen(asked: DeskRequest, ticket_id: int, seen: int, write: Write) -> WriteResult:
    """Write to the ticket if no public comment came after the version `seen`.

    Raises UnseenComments, and VersionMismatch if the ticket changes all the time.
    """
    version = seen
    for _ in range(ATTEMPTS - 1):
        try:
            return await write({version})
        except VersionMismatch:
            since = await asked.services.lists.events_after(ticket_id, seen, asked.principal)
            if merge.public_comments(since):
                raise UnseenComments(since) from None
            version = since[-1].version if since else seen
    return await write({version})


async def _conflict(asked: DeskRequest, ticket_id: int, form: Form, since: Sequence[Event]) -> Response:
    """Return the page that shows the comments that came since, what was typed, and a form to send it all the same."""
    view = await ticket_view(asked, ticket_id, is_fresh=True)
    unseen = set(merge.public_comments(since))
    context = ticket_page_context(view, Writing(composer_of(asked, form, view.ticket.version)))
    theirs = [message for message in view.messages if message.id in unseen]
    return asked.page("conflict_reply.html", context | {"theirs": theirs}, 409)


async def _refused(asked: DeskRequest, ticket_id: int, form: Form, refusal: Refusal) -> Response:
    """Return the page of the ticket with the reason, and with what was typed."""
    view = await ticket_view(asked, ticket_id, is_fresh=True)
    version = version_of(form, view.ticket.version)
    context = ticket_page_context(view, Writing(composer_of(asked, form, version)), refusal)
    return asked.page("ticket.html", context, refusal.status)
