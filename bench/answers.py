"""Whether the answers are right: a sample of them is compared with PostgreSQL, past the service."""

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

_SEARCHED = """
    SELECT DISTINCT ticket_id FROM search_documents WHERE words @@ words_wanted($1) ORDER BY ticket_id DESC LIMIT 50
"""


class WrongAnswer(Exception):
    """The service said something that is not so."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    tag: str | None
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever the body holds
        """The body, read."""
        return json.loads(self.body)


Check = Callable[[asyncpg.Connection, Request, Answer], Awaitable[bool]]


def sample(server: Server, requests: Sequence[Request]) -> list[Answer]:
    """Send each request once, one after the other."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    key = {} if server.key is None else {"Authorization": f"Bearer {server.key}"}
    answers = []
    try:
        for request in requests:
            headers = key | ({"If-None-Match": request.known} if request.known else {})
            body = request.body.replace("{n}", "0").encode() or None
            connection.request(
                request.method, request.path, body, headers | ({"Content-Type": "application/json"} if body else {})
            )
            answer = connection.getresponse()
            answers.append(Answer(answer.status, answer.headers["ETag"], answer.read()))
    finally:
        connection.close()
    return answers


def compare(dsn: str, requests: Sequence[Request], answers: Sequence[Answer], check: Check) -> None:
    """Hold answers against the database. Raises WrongAnswer."""

    async def each() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            for request, answer in zip(requests, answers, strict=True):
                if not await check(connection, request, answer):
                    raise WrongAnswer(f"{request.method} {request.path}: {answer.status} {answer.body[:500]!r}")
        finally:
            await connection.close()

    asyncio.run(each())


async def shows_ticket(connection: asyncpg.Connection, request: Request, answer: Answer) -> bool:
    """Compare a lookup with its ticket and the comments."""
    row = await _ticket(connection, _id_in(request))
    texts = await connection.fetch(
        "SELECT text FROM comments WHERE ticket_id = $1 ORDER BY id DESC LIMIT 50", row["id"]
    )
    said = [comment["text"] for comment in answer.json["comments"]]
    return _is(answer, 200, row) and said == [row["text"] for row in reversed(texts)]


async def shows_nothing_new(connection: asyncpg.Connection, request: Request, answer: Answer) -> bool:
    """Compare a 304 with the version."""
    row = await _ticket(connection, _id_in(request))
    return answer.status == 304 and not answer.body and answer.tag == f'"{row["version"]}"' == request.known


async def opened_ticket(connection: asyncpg.Connection, request: Request, answer: Answer) -> bool:
    """Compare a new ticket with what was sent and what is stored."""
    sent = json.loads(request.body.replace("{n}", "0"))
    return _is(answer, 201, await _ticket(connection, answer.json["id"])) and sent.items() <= answer.json.items()


async def changed_ticket(connection: asyncpg.Connection, request: Request, answer: Answer) -> bool:
    """Compare a changed ticket with what was sent and what is stored."""
    sent = json.loads(request.body.replace("{n}", "0"))
    return _is(answer, 200, await _ticket(connection, _id_in(request))) and sent.items() <= answer.json.items()


async def added_comment(connection: asyncpg.Connection, request: Request, answer: Answer) -> bool:
    """Compare a comment with what was sent and what is stored."""
    sent, said = json.loads(request.body.replace("{n}", "0")), answer.json
    text = await connection.fetchval(
        "SELECT text FROM comments WHERE ticket_id = $1 AND id = $2", _id_in(request), said["id"]
    )
    return answer.status == 201 and text == sent["text"] == said["text"]


async def lists_first(connection: asyncpg.Connection, _request: Request, answer: Answer) -> bool:
    """Compare the first page with the latest tickets."""
    return await _lists(connection, answer, 0)


def lists_from(depth: int) -> Check:
    """Return the check of a page that begins so many rows deep."""

    async def check(connection: asyncpg.Connection, _request: Request, answer: Answer) -> bool:
        return await _lists(connection, answer, depth)

    return check


async def finds_words(connection: asyncpg.Connection, request: Request, answer: Answer) -> bool:
    """Compare what was found with what the index of the words has, or accept that the time was up."""
    (words,) = parse_qs(urlsplit(request.path).query)["q"]
    if answer.status == 503:
        return bool(answer.json["type"].endswith("search-timeout"))
    wanted = [row["ticket_id"] for row in await connection.fetch(_SEARCHED, words)]
    return answer.status == 200 and [item["id"] for item in answer.json["items"]] == wanted


async def _lists(connection: asyncpg.Connection, answer: Answer, depth: int) -> bool:
    rows = await connection.fetch("SELECT * FROM tickets ORDER BY id DESC OFFSET $1 LIMIT 50", depth)
    items = answer.json["items"]
    return answer.status == 200 and len(items) == len(rows) and all(map(_same, items, rows))


async def _ticket(connection: asyncpg.Connection, ticket_id: int) -> asyncpg.Record:
    row = await connection.fetchrow("SELECT * FROM tickets WHERE id = $1", ticket_id)
    if row is None:
        raise WrongAnswer(f"there is no ticket {ticket_id}")
    return row


def _id_in(request: Request) -> int:
    return int(request.path.split("/")[2])


def _is(answer: Answer, status: int, row: asyncpg.Record) -> bool:
    return answer.status == status and answer.tag == f'"{row["version"]}"' and _same(answer.json, row)


def _same(said: dict[str, Any], row: asyncpg.Record) -> bool:
    names = ("id", "subject", "text", "email", "status", "version", "comment_count")
    return all(said[name] == row[name] for name in names)
