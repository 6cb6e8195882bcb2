"""The two requests that nearly all others are, answered before the framework looks for a route.

Most of their time went into finding the route and resolving its dependencies: answered here, a cached ticket costs
85 µs where it cost 260, and a page 300 where it cost 470. What is said of them in the document, and done about requests
of any other form, stands at their routes in `api.routes.tickets`; a test holds both ways to the same answers.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.conditional import etag, link_to_next, lookup_headers, versions_in
from api.middleware.authentication import PRINCIPAL_KEY
from api.middleware.security_headers import Headers
from api.problems.handlers import handle_service_error
from core.errors import ServiceError
from schemas.fields import ID_MAX
from schemas.lists import TicketQuery
from services.tickets.lists import TicketLists
from services.tickets.service import TicketService

RawResponse = tuple[int, Headers, bytes]

_LIST: Final = "/tickets"
_LOOKUP: Final = re.compile("/tickets/([1-9][0-9]{0,18})")
_JSON: Final = (b"content-type", b"application/json")
_FIRST_PAGE: Final = TicketQuery()


class FastPath:
    """Answers the lookup of a ticket and the list of tickets, as their `routes` would; hands on whatever else comes."""

    def __init__(self, app: ASGIApp, *, routes: Mapping[str, APIRoute]) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """RawResponse one request."""
        way = _way_of(scope)
        if way is None:
            await self._app(scope, receive, send)
            return
        name, answer = way
        scope["route"] = self._routes[name]
        try:
            status, headers, body = await answer()
        except ServiceError as error:
            await (await handle_service_error(Request(scope), error))(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _way_of(scope: Scope) -> tuple[str, Callable[[], Awaitable[RawResponse]]] | None:
    """Return which route's work is done here and how to do it; None for any other."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return None
    path = scope["path"]
    if path == _LIST:
        query = _query_of(scope["query_string"])
        return None if query is None else ("list_tickets", lambda: _list(scope, query))
    found = _LOOKUP.fullmatch(path)
    if found is None or (ticket_id := int(found[1])) > ID_MAX or _speaks_of_caches(scope):
        return None
    return "get_ticket", lambda: _look_up(scope, ticket_id)


async def _look_up(scope: Scope, ticket_id: int) -> RawResponse:
    tickets: TicketService = scope["app"].state.tickets
    stored, outcome = await tickets.look_up(ticket_id, scope[PRINCIPAL_KEY])
    headers = lookup_headers(stored.version, outcome)
    tags = [value for name, value in scope["headers"] if name == b"if-none-match"]
    if tags and _has(tags, stored.version):
        return 304, headers, b""
    return 200, [*headers, _JSON, _length(stored.body)], stored.body


async def _list(scope: Scope, query: TicketQuery) -> RawResponse:
    lists: TicketLists = scope["app"].state.lists
    page = await lists.tickets(query, scope[PRINCIPAL_KEY])
    link = link_to_next(scope, page.next_cursor)
    return 200, [*_raw(link), _JSON, _length(page.body)], page.body


def _query_of(query_string: bytes) -> TicketQuery | None:
    """Return the query as the framework reads it; None if it is not valid: the framework says what is wrong."""
    if not query_string:
        return _FIRST_PAGE
    sent = QueryParams(query_string)
    try:
        return TicketQuery.model_validate(
            {name: sent.getlist(name) if name == "status" else value for name, value in sent.items()}
        )
    except ValidationError:
        return None


def _speaks_of_caches(scope: Scope) -> bool:
    return any(name == b"cache-control" for name, _ in scope["headers"])


def _has(tags: list[bytes], version: int) -> bool:
    """Return whether entity tags name a version; nearly always there is one, and it does."""
    if tags == [etag(version).encode()]:
        return True
    known = versions_in(b", ".join(tags).decode("latin-1"))
    return known is None or version in known


def _length(body: bytes) -> tuple[bytes, bytes]:
    return b"content-length", b"%d" % len(body)


def _raw(headers: Mapping[str, str]) -> Headers:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
