"""The form of a ticket's fields. It is bound to the version that it was made from.

If the ticket has changed since, the changes of both sides are merged. Only a field that both have changed is shown to
decide.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Response
from pydantic import ValidationError

from core.errors import VersionMismatch
from desk import merge, words
from desk.composing import ATTEMPTS, version_of
from desk.desk_request import DeskRequest
from desk.forms import Form, new_key
from desk.list_query import invalid
from desk.merge import CUSTOM, Conflict
from desk.refusals import Refusal, Refused, refusal_of
from desk.ticket_form import FIELDS, FieldForm, as_shown, field_form, sent_values
from schemas.tickets import TicketCreate, TicketDetails, TicketPatch
from services.idempotency import RetryKey
from services.write_result import WriteResult


class NeedsDecision(Exception):
    """Fields that both sides have changed; `version` is that of `theirs`."""

    def __init__(self, conflicts: Sequence[Conflict], shown: Mapping[str, Any], version: int) -> None:
        super().__init__()
        self.conflicts = conflicts
        self.shown = shown
        self.version = version


async def edit_page(asked: DeskRequest, ticket_id: int) -> Response:
    """Return the form of a ticket's fields. Raises TicketNotFound and what the lookup raises."""
    ticket = await _ticket(asked, ticket_id)
    form = await field_form(asked, _values(ticket), version=ticket.version)
    return _form_page(asked, ticket_id, form)


async def save(asked: DeskRequest, ticket_id: int) -> Response:
    """Save what a form changes, and return to the ticket."""
    sent = await asked.form()
    fields = await field_form(asked, {})
    values: Mapping[str, Any] = {}
    try:
        values = sent_values(sent, fields.custom_fields)
        await _merged(asked, ticket_id, sent, values)
    except NeedsDecision as decision:
        form = await field_form(asked, decision.shown, version=decision.version)
        return _form_page(asked, ticket_id, form, conflicts=decision.conflicts, status=409)
    except Refused as error:
        form = await field_form(asked, values, version=version_of(sent, 1))
        return _form_page(asked, ticket_id, form, refusal=await refusal_of(asked, error))
    return asked.redirect(f"desk/tickets/{ticket_id}")


async def new_page(asked: DeskRequest) -> Response:
    """Return the form of a new ticket."""
    return asked.page("new.html", {"form": await field_form(asked, {}, key=new_key()), "refusal": None})


async def create(asked: DeskRequest) -> Response:
    """Create the ticket of a form, and show it."""
    sent = await asked.form()
    fields = await field_form(asked, {})
    values: Mapping[str, Any] = {}
    try:
        values = sent_values(sent, fields.custom_fields)
        given = {name: value for name, value in values.items() if value not in (None, [], "")}
        created = await _created(asked, merge.nested(given) | {"email": sent.text("email").strip()}, sent.text("key"))
    except Refused as error:
        form = await field_form(asked, values, email=sent.text("email"), key=new_key())
        refusal = await refusal_of(asked, error)
        return asked.page("new.html", {"form": form, "refusal": refusal}, refusal.status)
    return asked.redirect(f"desk/tickets/{created.ticket_id}")


async def follow_up(asked: DeskRequest, ticket_id: int) -> Response:
    """Open a ticket that continues a closed one, with the text of the form, and show it.

    Raises RequestValidationError, and what the service raises.
    """
    sent = await asked.form()
    ticket = await _ticket(asked, ticket_id)
    continued = {"subject": ticket.subject, "email": ticket.email, "priority": ticket.priority, "tags": ticket.tags}
    new = _valid_new(continued | {"text": sent.text("text")})
    key = _retry_key(sent.text("key"), {"text": sent.text("text")})
    opened, _ = await asked.services.follow_ups.open(ticket_id, new, asked.principal, key=key)
    return asked.redirect(f"desk/tickets/{opened.ticket_id}")


async def _merged(asked: DeskRequest, ticket_id: int, sent: Form, values: Mapping[str, Any]) -> None:
    """Save the changes. Raises NeedsDecision, RequestValidationError, and what the service raises."""
    seen = sent.number("version")
    theirs_chosen = {name.removeprefix("choice-") for name, choice in sent.items() if choice == "theirs"}
    for _ in range(ATTEMPTS):
        ticket = await _ticket(asked, ticket_id, is_fresh=True)
        now = _values(ticket)
        events = await asked.services.lists.events_after(ticket_id, seen, asked.principal)
        known = [event for event in events if event.version <= ticket.version]
        base = merge.base_of(now, known)
        mine = {name: value for name, value in as_shown(values, base).items() if name not in theirs_chosen}
        merged = merge.merge(base, now, mine)
        if merged.conflicts:
            shown = now | dict(merged.changes) | {conflict.field: conflict.mine for conflict in merged.conflicts}
            raise NeedsDecision(merged.conflicts, shown, ticket.version)
        if not merged.changes:
            return
        try:
            await _change(asked, ticket_id, merged.changes, ticket.version)
        except VersionMismatch:
            continue
        return
    raise VersionMismatch(seen)


async def _change(asked: DeskRequest, ticket_id: int, changes: Mapping[str, Any], version: int) -> None:
    try:
        patch = TicketPatch.model_validate(merge.nested(changes))
    except ValidationError as error:
        raise invalid(error, "body") from None
    await asked.services.tickets.change(ticket_id, patch, asked.principal, expected={version})


async def _created(asked: DeskRequest, values: Mapping[str, Any], key: str) -> WriteResult:
    created, _ = await asked.services.tickets.create(_valid_new(values), asked.principal, key=_retry_key(key, values))
    return created


def _valid_new(values: Mapping[str, Any]) -> TicketCreate:
    try:
        return TicketCreate.model_validate(values)
    except ValidationError as error:
        raise invalid(error, "body") from None


async def _ticket(asked: DeskRequest, ticket_id: int, *, is_fresh: bool = False) -> TicketDetails:
    stored, _ = await asked.services.tickets.look_up(ticket_id, asked.principal, bypass_cache=is_fresh)
    return TicketDetails.model_validate_json(stored.body)


def _values(ticket: TicketDetails) -> dict[str, Any]:
    return merge.flat(ticket.model_dump(mode="json", include={*FIELDS, "custom"}), FIELDS)


def _retry_key(key: str, values: Mapping[str, Any]) -> RetryKey | None:
    return RetryKey(key, json.dumps(values).encode()) if key else None


def _form_page(
    asked: DeskRequest,
    ticket_id: int,
    form: FieldForm,
    *,
    conflicts: Sequence[Conflict] = (),
    refusal: Refusal | None = None,
    status: int = 200,
) -> Response:
    labels = {CUSTOM + field.key: field.label for field in form.custom_fields}
    labels |= {name: asked.text(word) for name, word in words.FIELDS.items()}
    shown = {
        conflict.field: (labels.get(conflict.field, conflict.field), *map(_text, (conflict.base, conflict.theirs)))
        for conflict in conflicts
    }
    context = {"ticket_id": ticket_id, "form": form, "conflicts": shown, "refusal": refusal}
    return asked.page("edit.html", context, status if refusal is None else refusal.status)


def _text(value: object) -> str:
    if value is None:
        return "—"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
