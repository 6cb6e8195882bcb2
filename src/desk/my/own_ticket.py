"""A ticket, as its requester sees it: the public discussion, a reply, closing, and a follow-up."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Response
from pydantic_core import from_json

from desk.desk_request import DeskRequest
from desk.forms import Form, new_key
from desk.my.own_tickets import TURNS
from desk.refusals import Refusal, Refused, refusal_of
from desk.ticket_form import shown_value
from desk.ticket_view import message_of
from desk.validation import validated
from models import TicketStatus
from schemas.lists import CommentPaging
from schemas.tickets import CommentCreate, TicketCreate, TicketPatch
from services.idempotency import RetryKey


async def ticket_page(asked: DeskRequest, ticket_id: int, text: str = "", refusal: Refusal | None = None) -> Response:
    """Return the page of a ticket, perhaps with what was typed. Raises TicketNotFound."""
    stored, _ = await asked.services.tickets.look_up(ticket_id, asked.principal, bypass_cache=refusal is not None)
    ticket: dict[str, Any] = from_json(stored.body)
    cursor = asked.request.query_params.get("cursor")
    paging = validated(CommentPaging, "query", include="merged", **({"cursor": cursor} if cursor else {}))
    page = await asked.services.lists.comments(ticket_id, paging, asked.principal)
    labels = {each.key: each.label for each in (await asked.services.fields.all(asked.principal)).items}
    clock = asked.clock
    context = {
        "ticket": ticket,
        "turn": asked.text(TURNS[ticket["status"]]),
        "created": clock.show(ticket["created_at"]),
        "messages": [message_of(each, clock, ticket["email"]) for each in page.items],
        "is_continued": bool(cursor),
        "next_cursor": page.next_cursor,
        "custom": [(labels.get(key, key), shown_value(value)) for key, value in ticket.get("custom", {}).items()],
        "may_close": TicketStatus.CLOSED in ticket["allowed_transitions"],
        "text": text,
        "key": new_key(),
        "refusal": refusal,
    }
    return asked.page("my/ticket.html", context, 200 if refusal is None else refusal.status)


async def reply(asked: DeskRequest, ticket_id: int) -> Response:
    """Add a reply; a ticket that was answered then waits for the next answer, unless the reply closes it."""
    form = await asked.form()

    async def write() -> int:
        stored, _ = await asked.services.tickets.look_up(ticket_id, asked.principal)
        allowed = from_json(stored.body)["allowed_transitions"]
        status = TicketStatus.CLOSED if form.text("close") else TicketStatus.AWAITING_REPLY
        sent = {"email": asked.viewer.email, "text": form.text("text")}
        new = validated(CommentCreate, **sent, status=status if form.text("close") or status in allowed else None)
        await asked.services.tickets.comment(ticket_id, new, asked.principal, key=_key(form, sent))
        return ticket_id

    return await _written(asked, ticket_id, form, write)


async def close(asked: DeskRequest, ticket_id: int) -> Response:
    """Close a ticket."""
    form = await asked.form()

    async def write() -> int:
        patch = TicketPatch(status=TicketStatus.CLOSED)
        await asked.services.tickets.change(ticket_id, patch, asked.principal)
        return ticket_id

    return await _written(asked, ticket_id, form, write)


async def follow_up(asked: DeskRequest, ticket_id: int) -> Response:
    """Open a ticket that continues a closed one, and show it."""
    form = await asked.form()

    async def write() -> int:
        stored, _ = await asked.services.tickets.look_up(ticket_id, asked.principal)
        sent = {"subject": from_json(stored.body)["subject"], "email": asked.viewer.email, "text": form.text("text")}
        new = validated(TicketCreate, **sent)
        opened, _ = await asked.services.follow_ups.open(ticket_id, new, asked.principal, key=_key(form, sent))
        return opened.ticket_id

    return await _written(asked, ticket_id, form, write)


async def _written(asked: DeskRequest, ticket_id: int, form: Form, write: Callable[[], Awaitable[int]]) -> Response:
    """Write, and show the ticket; a refused form comes back with what was typed."""
    try:
        shown = await write()
    except Refused as error:
        return await ticket_page(asked, ticket_id, form.text("text"), await refusal_of(asked, error))
    return asked.redirect(f"my/tickets/{shown}#end")


def _key(form: Form, sent: dict[str, str]) -> RetryKey | None:
    return RetryKey(form.text("key"), json.dumps(sent).encode()) if form.text("key") else None
