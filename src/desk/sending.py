"""Comments that can be called back: each is a draft with a time at which it is sent."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import Response
from starlette.responses import JSONResponse

from core.desk_errors import DraftBeingSent
from desk.composer import Composer
from desk.desk_request import DeskRequest
from desk.drafts import KINDS, drafts_of
from desk.forms import Form
from desk.refusals import Refusal, refusal_of_slug
from desk.validation import validated
from models import Audience
from schemas.drafts import Draft, DraftSend
from schemas.tickets import CommentCreate


@dataclass(frozen=True, slots=True)
class Pending:
    """A comment that is sent in `left_s` seconds."""

    visibility: Audience
    text: str
    left_s: int


@dataclass(frozen=True, slots=True)
class Writing:
    """What the viewer writes on a ticket: the form, what is about to be sent, and why it was not sent."""

    composer: Composer
    pending: Sequence[Pending] = ()
    not_sent: Refusal | None = None


async def writing_on(asked: DeskRequest, ticket_id: int, version: int) -> Writing:
    """Return what the viewer writes on a ticket of this version."""
    drafts = await drafts_of(asked, ticket_id)
    now = datetime.now(UTC)
    pending = [
        Pending(Audience(visibility), draft.text, max(0, round((draft.send_at - now).total_seconds())))
        for visibility, draft in drafts.items()
        if draft.send_at is not None
    ]
    refused = next((visibility for visibility, draft in drafts.items() if draft.refusal is not None), None)
    chosen = asked.request.query_params.get("write") or refused or Audience.PUBLIC
    composer = Composer(
        version,
        drafts[chosen].text if chosen in drafts else "",
        asked.viewer.email,
        is_note=chosen == Audience.INTERNAL,
        undo_s=asked.undo_send_s,
        is_focused="write" in asked.request.query_params,
        drafts=drafts,
    )
    return Writing(composer, pending, _why_not_sent(asked, drafts, refused))


async def send_later(asked: DeskRequest, ticket_id: int, form: Form, new: CommentCreate) -> Draft:
    """Store a comment that is sent after UNDO_SEND. The draft has a refusal if the viewer has not seen all comments.

    A form that is sent twice is stored once. Raises RequestValidationError, and what the service raises.
    """
    earlier = (await drafts_of(asked, ticket_id)).get(new.visibility)
    # Above the counter of the browser, whose clock may be ahead.
    counter = max(time.time_ns() // 1_000_000, 0 if earlier is None else earlier.counter + 1)
    final = validated(
        DraftSend,
        kind=KINDS[new.visibility],
        counter=counter,
        base_version=form.number("version"),
        email=new.email,
        text=new.text,
        status=new.status,
        delay_s=asked.undo_send_s,
        send_key=form.text("key") or None,
    )
    try:
        return await asked.services.drafts.send(ticket_id, final, asked.principal)
    except DraftBeingSent:
        if earlier is None or earlier.text != new.text:
            raise
        return earlier


async def call_back(asked: DeskRequest, ticket_id: int) -> Response:
    """Call a comment back before it is sent, and return to its text. Raises DraftNotFound once it was sent."""
    form = await asked.form()
    visibility = Audience.INTERNAL if form.text("visibility") == Audience.INTERNAL else Audience.PUBLIC
    await asked.services.drafts.recall(ticket_id, KINDS[visibility], asked.principal)
    return asked.redirect(f"desk/tickets/{ticket_id}?write={visibility}#composer")


async def sending_state(asked: DeskRequest) -> Response:
    """Return the tickets with comments of the viewer that are about to be sent, and with those that were refused."""
    drafts = await asked.services.drafts.mine(asked.principal)
    pending = [draft.ticket_id for draft in drafts if draft.send_at is not None]
    return JSONResponse({"pending": pending, "refused": [draft.ticket_id for draft in drafts if draft.refusal]})


def _why_not_sent(asked: DeskRequest, drafts: Mapping[str, Draft], refused: str | None) -> Refusal | None:
    slug = None if refused is None else drafts[refused].refusal
    return None if slug is None else refusal_of_slug(slug, asked.viewer.language)
