"""The drafts and presences of the page of a ticket: its script saves what is typed, and marks where the reader is.

A draft is of one person, one ticket, and one kind. It ends in the transaction of its comment.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from fastapi import Response
from pydantic import ValidationError
from starlette.responses import JSONResponse

from db.redis.presence import Presence
from desk.desk_request import DeskRequest
from desk.forms import Form
from desk.list_query import invalid
from models import Audience, DraftKind
from schemas.drafts import Draft, DraftSave
from services.drafts.sending import forgetting
from services.presence.presences import MAX_TICKETS
from services.tickets.changes import Within

KINDS: Final[Mapping[str, DraftKind]] = {Audience.PUBLIC: DraftKind.REPLY, Audience.INTERNAL: DraftKind.NOTE}


async def save_draft(asked: DeskRequest, ticket_id: int) -> Response:
    """Store what was typed, or forget it if nothing is left; return the stored draft.

    Raises RequestValidationError, and what the service raises.
    """
    form = await asked.form()
    kind = KINDS.get(form.text("visibility"), DraftKind.REPLY)
    if not form.text("text"):
        await asked.services.drafts.discard(ticket_id, kind, asked.principal)
        return JSONResponse({"draft_id": None})
    draft = await asked.services.drafts.save(ticket_id, _typed(asked, form, kind), asked.principal)
    return JSONResponse({"draft_id": draft.id, "counter": draft.counter})


async def drafts_page(asked: DeskRequest) -> Response:
    """Return the page with the drafts of the viewer."""
    drafts = await asked.services.drafts.mine(asked.principal)
    clock = asked.clock
    return asked.page("drafts.html", {"drafts": [(draft, clock.show(draft.saved_at)) for draft in drafts]})


async def drafts_of(asked: DeskRequest, ticket_id: int) -> Mapping[str, Draft]:
    """Return the drafts of the viewer on a ticket, by the visibility of the comment that they become."""
    drafts = await asked.services.drafts.of_ticket(ticket_id, asked.principal)
    return {visibility: drafts[kind] for visibility, kind in KINDS.items() if kind in drafts}


def ending_draft(asked: DeskRequest, visibility: Audience) -> Within:
    """Return the step of a comment that deletes the draft of its author."""
    return forgetting(asked.principal.id, KINDS[visibility])


async def mark_presence(asked: DeskRequest, ticket_id: int) -> Response:
    """Store that the viewer looks at a ticket or writes on it, and return the others that do."""
    writes = (await asked.form()).text("writes") == "true"
    return JSONResponse(_shown(await asked.services.presences.mark(ticket_id, asked.principal, writes=writes)))


async def leave(asked: DeskRequest, ticket_id: int) -> Response:
    """Store that the viewer has left a ticket."""
    await asked.services.presences.leave(ticket_id, asked.principal)
    return Response(status_code=204)


async def presences(asked: DeskRequest) -> Response:
    """Return the others on the tickets of a list, by the ids of tickets that have any."""
    values = asked.request.query_params.getlist("ticket")[:MAX_TICKETS]
    ids = [int(value) for value in values if value.isascii() and value.isdigit() and len(value) < 19]
    found = await asked.services.presences.of(ids, asked.principal)
    return JSONResponse({str(ticket_id): _shown(present) for ticket_id, present in found.items()})


def _typed(asked: DeskRequest, form: Form, kind: DraftKind) -> DraftSave:
    sent = {
        "kind": kind,
        "counter": form.number("counter"),
        "base_version": form.number("version"),
        "email": asked.viewer.email or form.text("email"),
        "text": form.text("text"),
        "draft_id": form.number("draft_id") if form.text("draft_id") else None,
    }
    try:
        return DraftSave.model_validate(sent)
    except ValidationError as error:
        raise invalid(error, "body") from None


def _shown(present: Sequence[Presence]) -> list[dict[str, str | bool]]:
    return [{"name": each.name, "writes": each.writes} for each in present]
