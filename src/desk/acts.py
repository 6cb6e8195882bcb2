"""What one button of a ticket's page does. The service decides; a refusal becomes a page about the problem."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

from fastapi import Response
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError
from starlette.exceptions import HTTPException

from desk.desk_request import DeskRequest
from desk.forms import Form
from desk.list_query import invalid
from models import LinkType
from schemas.fields import Email
from schemas.working_fields import Tag
from services.write_result import WriteResult

T = TypeVar("T")
Act = Callable[[DeskRequest, int, Form], Awaitable[WriteResult]]

_TAG: Final[TypeAdapter[str]] = TypeAdapter(Tag)
_EMAIL: Final[TypeAdapter[str]] = TypeAdapter(Email)
_LINK: Final[TypeAdapter[LinkType]] = TypeAdapter(LinkType)


async def act(asked: DeskRequest, ticket_id: int, name: str) -> Response:
    """Do what a button says, and show the ticket that the service returned.

    Raises HTTPException (404) for another name, RequestValidationError, and what the service raises.
    """
    if name not in ACTS:
        raise HTTPException(404)
    result = await ACTS[name](asked, ticket_id, await asked.form())
    return asked.redirect(f"desk/tickets/{result.ticket_id}")


async def _take(asked: DeskRequest, ticket_id: int, form: Form) -> WriteResult:
    steal = form.text("steal") == "true"
    return await asked.services.assignment.take(ticket_id, asked.principal, steal=steal)


async def _release(asked: DeskRequest, ticket_id: int, _: Form) -> WriteResult:
    return await asked.services.assignment.release(ticket_id, asked.principal)


async def _tag(asked: DeskRequest, ticket_id: int, form: Form) -> WriteResult:
    tag = _valid(_TAG, form.text("tag").strip().lower(), "tags")
    return await asked.services.tags.add(ticket_id, tag, asked.principal)


async def _untag(asked: DeskRequest, ticket_id: int, form: Form) -> WriteResult:
    return await asked.services.tags.remove(ticket_id, form.text("tag"), asked.principal)


async def _invite(asked: DeskRequest, ticket_id: int, form: Form) -> WriteResult:
    address = _valid(_EMAIL, form.text("email").strip(), "participants")
    return await asked.services.participants.add(ticket_id, address, asked.principal)


async def _uninvite(asked: DeskRequest, ticket_id: int, form: Form) -> WriteResult:
    return await asked.services.participants.remove(ticket_id, form.text("email"), asked.principal)


async def _link(asked: DeskRequest, ticket_id: int, form: Form) -> WriteResult:
    link = _valid(_LINK, form.text("type"), "type")
    return await asked.services.links.add(ticket_id, link, form.number("other"), asked.principal)


async def _unlink(asked: DeskRequest, ticket_id: int, form: Form) -> WriteResult:
    link = _valid(_LINK, form.text("type"), "type")
    return await asked.services.links.remove(ticket_id, link, form.number("other"), asked.principal)


async def _merge(asked: DeskRequest, ticket_id: int, form: Form) -> WriteResult:
    return await asked.services.merges.merge(ticket_id, form.number("into"), asked.principal)


async def _unmerge(asked: DeskRequest, ticket_id: int, _: Form) -> WriteResult:
    return await asked.services.merges.undo(ticket_id, asked.principal)


def _valid(adapter: TypeAdapter[T], value: str, field: str) -> T:
    """Return a valid value. Raises RequestValidationError, which names the field."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        parts = invalid(error, "body").errors()
        raise RequestValidationError([{**part, "loc": ("body", field)} for part in parts]) from None


ACTS: Final[Mapping[str, Act]] = {
    "take": _take,
    "release": _release,
    "tag": _tag,
    "untag": _untag,
    "invite": _invite,
    "uninvite": _uninvite,
    "link": _link,
    "unlink": _unlink,
    "merge": _merge,
    "unmerge": _unmerge,
}
