"""Canned replies: the page that manages them, and what the composer needs to insert one at its cursor."""

from typing import Any

from fastapi import Response
from starlette.responses import JSONResponse

from desk.desk_request import DeskRequest
from desk.forms import Form
from desk.refusals import Refusal, Refused, refusal_of
from desk.validation import validated
from schemas.canned_replies import CannedRepliesQuery, CannedReplyCreate, CannedReplyPatch, RenderQuery

FOUND: int = 20
_EMPTY = {"title": "", "shortcut": "", "text": "", "group_id": ""}


async def canned_page(asked: DeskRequest) -> Response:
    """Return the page of canned replies. Raises RequestValidationError, InvalidCursor."""
    parameters = asked.request.query_params
    given = {name: parameters[name] for name in ("q", "cursor") if parameters.get(name)}
    page = await asked.services.canned_replies.page(validated(CannedRepliesQuery, "query", **given), asked.principal)
    staff = await asked.services.staff.current()
    context = {"replies": page.items, "next_cursor": page.next_cursor, "q": given.get("q", ""), "staff": staff}
    return asked.page("canned.html", context)


async def found_replies(asked: DeskRequest) -> Response:
    """Return the first replies that fit what is typed, for the composer."""
    query = validated(CannedRepliesQuery, "query", q=asked.request.query_params.get("q") or None, limit=FOUND)
    page = await asked.services.canned_replies.page(query, asked.principal)
    return JSONResponse([{"id": each.id, "title": each.title, "shortcut": each.shortcut} for each in page.items])


async def rendered_reply(asked: DeskRequest, reply_id: int) -> Response:
    """Return the text of a reply for a ticket. Raises RequestValidationError, and what the service raises."""
    query = validated(RenderQuery, "query", ticket_id=asked.request.query_params.get("ticket"))
    rendered = await asked.services.canned_replies.rendered(reply_id, query.ticket_id, asked.principal)
    return JSONResponse(rendered.model_dump())


async def new_reply_page(asked: DeskRequest) -> Response:
    """Return the form of a new reply."""
    return await _form_page(asked, None, _EMPTY)


async def reply_page(asked: DeskRequest, reply_id: int) -> Response:
    """Return the form of a reply. Raises CannedReplyNotFound."""
    reply = await asked.services.canned_replies.find(reply_id, asked.principal)
    return await _form_page(asked, reply_id, reply.model_dump() | {"group_id": reply.group_id or ""})


async def create_reply(asked: DeskRequest) -> Response:
    """Create a reply, and show the list."""
    form = await asked.form()
    try:
        new = validated(CannedReplyCreate, **_sent(form))
        await asked.services.canned_replies.create(new, asked.principal)
    except Refused as error:
        return await _form_page(asked, None, dict(form), await refusal_of(asked, error))
    return asked.redirect("desk/canned")


async def change_reply(asked: DeskRequest, reply_id: int) -> Response:
    """Change a reply, and show the list."""
    form = await asked.form()
    try:
        expected = {form.number("version")}
        patch = validated(CannedReplyPatch, **_sent(form))
        await asked.services.canned_replies.change(reply_id, patch, asked.principal, expected=expected)
    except Refused as error:
        return await _form_page(asked, reply_id, dict(form), await refusal_of(asked, error))
    return asked.redirect("desk/canned")


async def delete_reply(asked: DeskRequest, reply_id: int) -> Response:
    """Delete a reply. Raises RequestValidationError, CannedReplyNotFound, VersionMismatch."""
    form = await asked.form()
    await asked.services.canned_replies.delete(reply_id, asked.principal, expected={form.number("version")})
    return asked.redirect("desk/canned")


def _sent(form: Form) -> dict[str, Any]:
    group_id = form.number("group_id") if form.text("group_id") else None
    return {name: form.text(name) for name in ("title", "shortcut", "text")} | {"group_id": group_id}


async def _form_page(
    asked: DeskRequest, reply_id: int | None, values: dict[str, Any], refusal: Refusal | None = None
) -> Response:
    staff = await asked.services.staff.current()
    context = {"reply_id": reply_id, "values": _EMPTY | values, "staff": staff, "refusal": refusal}
    return asked.page("canned_form.html", context, 200 if refusal is None else refusal.status)
