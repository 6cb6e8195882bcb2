"""Checks of responses: a sample is compared with the rows in PostgreSQL."""

import asyncio
import http.client
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg

from bench.load import Request
from bench.server import Server

_SELECT_MATCHES = """
    SELECT DISTINCT ticket_id FROM search_documents WHERE words @@ words_wanted($1) ORDER BY ticket_id DESC LIMIT 50
"""


class WrongResponse(Exception):
    """A response differs from the database."""


@dataclass(frozen=True)
class Response:
    """A response: its status, its ETag and its body."""

    status: int
    etag: str | None
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """The parsed body."""
        return json.loads(self.body)


Check = Callable[[asyncpg.Connection, Request, Response], Awaitable[bool]]


def sample(server: Server, requests: Sequence[Request]) -> list[Response]:
    """Send each request once, in order, and return the responses."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    responses = []
    try:
        for request in requests:
            headers = server.headers | ({"If-None-Match": request.etag} if request.etag else {})
            body = request.body.replace("{n}", "0").encode() or None
            connection.request(
                request.method, request.path, body, headers | ({"Content-Type": "application/json"} if body else {})
            )
            response = connection.getresponse()
            responses.append(Response(response.status, response.headers["ETag"], response.read()))
    finally:
        connection.close()
    return responses


def compare(dsn: str, requests: Sequence[Request], responses: Sequence[Response], check: Check) -> None:
    """Check responses against the database. Raises WrongResponse."""

    async def check_all() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            for request, response in zip(requests, responses, strict=True):
                if not await check(connection, request, response):
                    raise WrongResponse(f"{request.method} {request.path}: {response.status} {response.body[:500]!r}")
        finally:
            await connection.close()

    asyncio.run(check_all())


async def is_ticket(connection: asyncpg.Connection, request: Request, response: Response) -> bool:
    """Compare a lookup with the ticket and its comments."""
    row = await _ticket(connection, _ticket_id(request))
    texts = await connection.fetch(
        "SELECT text FROM comments WHERE ticket_id = $1 ORDER BY id DESC LIMIT 50", row["id"]
    )
    found = [comment["text"] for comment in response.json["comments"]]
    return _shows(response, 200, row) and found == [row["text"] for row in reversed(texts)]


async def is_not_modified(connection: asyncpg.Connection, request: Request, response: Response) -> bool:
    """Compare a 304 with the version of the ticket."""
    row = await _ticket(connection, _ticket_id(request))
    return response.status == 304 and not response.body and response.etag == f'"{row["version"]}"' == request.etag


async def is_created_ticket(connection: asyncpg.Connection, request: Request, response: Response) -> bool:
    """Compare a created ticket with the request and with the row."""
    sent = json.loads(request.body.replace("{n}", "0"))
    return (
        _shows(response, 201, await _ticket(connection, response.json["id"])) and sent.items() <= response.json.items()
    )


async def is_changed_ticket(connection: asyncpg.Connection, request: Request, response: Response) -> bool:
    """Compare a changed ticket with the request and with the row."""
    sent = json.loads(request.body.replace("{n}", "0"))
    return (
        _shows(response, 200, await _ticket(connection, _ticket_id(request))) and sent.items() <= response.json.items()
    )


async def is_created_comment(connection: asyncpg.Connection, request: Request, response: Response) -> bool:
    """Compare a created comment with the request and with the row."""
    sent, comment = json.loads(request.body.replace("{n}", "0")), response.json
    text = await connection.fetchval(
        "SELECT text FROM comments WHERE ticket_id = $1 AND id = $2", _ticket_id(request), comment["id"]
    )
    return response.status == 201 and text == sent["text"] == comment["text"]


async def is_first_page(connection: asyncpg.Connection, _request: Request, response: Response) -> bool:
    """Compare the first page with the latest tickets."""
    return await _is_page(connection, response, 0)


def is_page_from(depth: int) -> Check:
    """Return the check of a page that begins after `depth` tickets."""

    async def check(connection: asyncpg.Connection, _request: Request, response: Response) -> bool:
        return await _is_page(connection, response, depth)

    return check


async def has_filtered_tickets(connection: asyncpg.Connection, request: Request, response: Response) -> bool:
    """Compare the tickets of a filtered page, fifty in descending order, with the rows."""
    ids = [item["id"] for item in response.json["items"]]
    rows = await connection.fetch("SELECT * FROM tickets WHERE id = ANY($1) ORDER BY id DESC", ids)
    query = parse_qs(urlsplit(request.path).query)
    assignee, status, tags, priority = (query.get(name) for name in ("assignee", "status", "tag", "priority"))
    fit = all(
        (assignee is None or row["assignee_id"] in assignee)
        and (status is None or row["status"] in status)
        and (tags is None or set(tags) <= set(row["tags"]))
        and (priority is None or row["priority"] in priority)
        for row in rows
    )
    is_page = response.status == 200 and len(ids) == len(rows) == 50
    return is_page and fit and all(map(_is_same, response.json["items"], rows))


async def has_search_results(connection: asyncpg.Connection, request: Request, response: Response) -> bool:
    """Compare search results with the search documents, or accept a search timeout (503)."""
    (words,) = parse_qs(urlsplit(request.path).query)["q"]
    if response.status == 503:
        return bool(response.json["type"].endswith("search-timeout"))
    expected = [row["ticket_id"] for row in await connection.fetch(_SELECT_MATCHES, words)]
    return response.status == 200 and [item["id"] for item in response.json["items"]] == expected


async def _is_page(connection: asyncpg.Connection, response: Response, depth: int) -> bool:
    rows = await connection.fetch("SELECT * FROM tickets ORDER BY id DESC OFFSET $1 LIMIT 50", depth)
    items = response.json["items"]
    return response.status == 200 and len(items) == len(rows) and all(map(_is_same, items, rows))


async def _ticket(connection: asyncpg.Connection, ticket_id: int) -> asyncpg.Record:
    row = await connection.fetchrow("SELECT * FROM tickets WHERE id = $1", ticket_id)
    if row is None:
        raise WrongResponse(f"there is no ticket {ticket_id}")
    return row


def _ticket_id(request: Request) -> int:
    return int(request.path.split("/")[2])


def _shows(response: Response, status: int, row: asyncpg.Record) -> bool:
    return response.status == status and response.etag == f'"{row["version"]}"' and _is_same(response.json, row)


def _is_same(item: dict[str, Any], row: asyncpg.Record) -> bool:
    names = ("id", "subject", "text", "email", "status", "version", "comment_count")
    return all(item[name] == row[name] for name in names)
