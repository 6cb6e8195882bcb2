"""The writes that take the fast path: new tickets, comments and changes, without a condition or an idempotency key."""

import json
import re
from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.types import Message, Scope

from api.http.checked_route import PATCH_MEDIA_TYPES
from api.http.json_body import check_json
from api.middleware.authentication import PRINCIPAL_KEY
from api.routes import comments, route_of, tickets
from schemas.fields import ID_MAX
from schemas.tickets import CommentCreate, TicketCreate, TicketPatch
from services.tickets.service import TicketService

Match = tuple[APIRoute, Callable[[], Awaitable[Response]]]

_TICKETS: Final = "/tickets"
_BELOW: Final = re.compile("/tickets/([1-9][0-9]{0,18})(/comments)?")
_LEFT_TO_THE_ROUTER: Final = frozenset({b"if-match", b"if-none-match", b"idempotency-key"})
_JSON: Final = frozenset({b"application/json", b"application/json; charset=utf-8"})
_PATCH: Final = _JSON | {media_type.encode() for media_type in PATCH_MEDIA_TYPES}


@dataclass(frozen=True, slots=True)
class Write:
    """An operation that writes: its route, what its body must be, and the call of its endpoint."""

    route: APIRoute
    model: type[BaseModel]
    media_types: Set[bytes]
    call: Callable[[Scope, int, Any], Awaitable[Response]]


def write_of(scope: Scope) -> tuple[Write, int] | None:
    """Return the operation of a request and the ticket id in its path, 0 without one; None if it is for the router."""
    found = _operation(scope["method"], scope["path"])
    if found is None or scope["query_string"]:
        return None
    media_types = []
    for name, value in scope["headers"]:
        if name in _LEFT_TO_THE_ROUTER:
            return None
        if name == b"content-type":
            media_types.append(value)
    return found if len(media_types) == 1 and media_types[0] in found[0].media_types else None


def match_write(scope: Scope, write: Write, ticket_id: int, message: Message, *, max_bytes: int) -> Match | None:
    """Return the route of a write and the call of its endpoint; None if the router has to report what is invalid."""
    if message["type"] != "http.request" or message.get("more_body"):
        return None
    body = message.get("body", b"")
    if len(body) > max_bytes:
        return None
    try:
        check_json(body)
        sent = write.model.model_validate(json.loads(body))
    except (ValueError, RecursionError, RequestValidationError):
        return None
    if ticket_id:
        scope["path_params"] = {"ticket_id": ticket_id}  # for the access log
    return write.route, lambda: write.call(scope, ticket_id, sent)


def _operation(method: str, path: str) -> tuple[Write, int] | None:
    if path == _TICKETS:
        return (_CREATE, 0) if method == "POST" else None
    found = _BELOW.fullmatch(path)
    if found is None or (ticket_id := int(found[1])) > ID_MAX:
        return None
    if found[2] is not None:
        return (_COMMENT, ticket_id) if method == "POST" else None
    return (_CHANGE, ticket_id) if method == "PATCH" else None


def _service(scope: Scope) -> TicketService:
    service: TicketService = scope["app"].state.tickets
    return service


def _create(scope: Scope, _: int, new: TicketCreate) -> Awaitable[Response]:
    return tickets.create_ticket(new, _service(scope), scope[PRINCIPAL_KEY], None)


def _comment(scope: Scope, ticket_id: int, new: CommentCreate) -> Awaitable[Response]:
    return comments.create_comment(ticket_id, new, None, _service(scope), scope[PRINCIPAL_KEY], None)


def _change(scope: Scope, ticket_id: int, patch: TicketPatch) -> Awaitable[Response]:
    return tickets.change_ticket(ticket_id, patch, None, _service(scope), scope[PRINCIPAL_KEY])


_CREATE: Final = Write(route_of(tickets.router, tickets.create_ticket), TicketCreate, _JSON, _create)
_COMMENT: Final = Write(route_of(comments.router, comments.create_comment), CommentCreate, _JSON, _comment)
_CHANGE: Final = Write(route_of(tickets.router, tickets.change_ticket), TicketPatch, _PATCH, _change)
