"""The form of a new ticket of a requester."""

import json
from collections.abc import Mapping
from typing import Any

from fastapi import Response

from desk import merge
from desk.desk_request import DeskRequest
from desk.forms import new_key
from desk.refusals import Refusal, Refused, refusal_of
from desk.ticket_form import field_form, sent_values
from desk.validation import validated
from schemas.tickets import TicketCreate
from services.idempotency import RetryKey


async def new_page(
    asked: DeskRequest, values: Mapping[str, Any] | None = None, refusal: Refusal | None = None
) -> Response:
    """Return the form, with the fields that requesters set."""
    form = await field_form(asked, values or {}, key=new_key())
    return asked.page("my/new.html", {"form": form, "refusal": refusal}, 200 if refusal is None else refusal.status)


async def create(asked: DeskRequest) -> Response:
    """Create a ticket of the requester, and show it."""
    form = await asked.form()
    fields = (await asked.services.fields.all(asked.principal, archived=False)).items
    values: Mapping[str, Any] = {}
    try:
        values = {name: value for name, value in sent_values(form, fields).items() if value not in (None, [], "")}
        sent = merge.nested(values) | {"email": asked.viewer.email}
        key = RetryKey(form.text("key"), json.dumps(sent).encode()) if form.text("key") else None
        created, _ = await asked.services.tickets.create(validated(TicketCreate, **sent), asked.principal, key=key)
    except Refused as error:
        return await new_page(asked, values, await refusal_of(asked, error))
    return asked.redirect(f"my/tickets/{created.ticket_id}")
