"""The cases: the requests, the server that gets them, and the expected responses."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final
from urllib.parse import quote

import asyncpg

from bench import responses
from bench.limits import pgbench, serialise
from bench.load import CONNECTIONS, LoadFailed, Measured, Request, load
from bench.responses import Check, compare, sample
from bench.server import Server
from bench.servers import Servers
from bench.words import TextGenerator
from core.settings import Settings
from services.tickets.save_statement import field_parameter

WORKERS: Final = 2
DEEP: Final = 10_000
_CACHED: Final = range(1, 201)
_MISSED: Final = range(201, 7_001)
# Odd ids, whose tickets are open.
_WRITTEN: Final = range(7_001, 9_901, 2)
LONG: Final = range(9_901, 10_001, 2)
LONG_COMMENTS: Final = 2_700
_QUERIES: Final = 2_000
# Name, title and query of the filtered lists, and how deep the deep page is as a share of all tickets.
_FILTERS: Final = (
    ("mine", "an agent's open tickets", "assignee=key:agent-7&status=open", 0.005),
    ("tagged", "a tag", "tag=x", 0.01),
    ("urgent", "the urgent tickets", "priority=urgent", 0.01),
)
_SEARCH_CONNECTIONS: Final = 8
# The others may be lookups whose cache entry had just expired.
_MIN_EXPECTED_SHARE: Final = 0.99
_ATTEMPTS: Final = 4


@dataclass(frozen=True)
class Case:
    """A measurement: `run` takes its duration in seconds, and the first of the numbers that its requests contain."""

    name: str
    title: str
    run: Callable[[int, int], Measured]


@dataclass(frozen=True)
class Parts:
    """The servers of the cases; `large` has the database with many tickets, which is optional."""

    servers: Servers
    dsn: str
    bare: Server
    validated: Server
    plain: Server
    service: Server
    workers: Server
    large_dsn: str | None = None
    large: Server | None = None


def cases(parts: Parts) -> list[Case]:
    """Return the cases, each after the case that it is compared with."""
    texts = TextGenerator(seed=1)
    new = {"subject": "ticket {n}", "text": texts.text(25, 25), "email": "alice@example.com"}
    creations = [Request("POST", "/tickets", _json(new))]
    comments, long_comments = _comments(_WRITTEN, texts), _comments(LONG, texts)
    changes = [Request("PATCH", f"/tickets/{each}", _json({"subject": "changed {n}"})) for each in _WRITTEN]
    cached = [Request("GET", f"/tickets/{each}") for each in _CACHED]
    conditional = asyncio.run(_with_etags(parts.dsn, cached))
    missed = [Request("GET", f"/tickets/{each}") for each in _MISSED]
    page = [Request("GET", "/tickets")]
    on = partial(_WrkRun, parts.dsn)
    hit = partial(on, requests=cached, expected=("200 hit",), check=responses.is_ticket, warm=200)
    create = partial(on, requests=creations, expected=("201",), check=responses.is_created_ticket)
    comment = partial(on, parts.service, expected=("201",), check=responses.is_created_comment)
    not_modified = on(parts.service, conditional, ("304 hit",), responses.is_not_modified, warm=200)
    miss = on(
        parts.service, missed, ("200 miss",), responses.is_ticket, before=parts.servers.flush_cache, max_seconds=1
    )
    found = [
        Case("bare", "bare ASGI application", on(parts.bare, cached, ("200",))),
        Case("hit-plain", "cached ticket, anonymous, no log", hit(parts.plain)),
        Case("hit", "cached ticket", hit(parts.service)),
        Case("hit-2", "cached ticket, two workers", hit(parts.workers)),
        Case("not-modified", "cached ticket, 304", not_modified),
        Case("miss", "ticket not cached", miss),
        Case("validated", "POST that stores nothing", on(parts.validated, creations, ("201",))),
        Case("create", "POST ticket", create(parts.service)),
        Case("comment", "POST comment", comment(requests=comments)),
        Case("comment-long", f"POST comment after {LONG_COMMENTS:,} others", comment(requests=long_comments)),
        Case("comment-one", "POST comment, one connection", comment(requests=comments, connections=1)),
        Case("change", "PATCH ticket", on(parts.service, changes, ("200",), responses.is_changed_ticket)),
        Case("pgbench", "pgbench: CREATE alone", partial(_pgbench, parts, new)),
        Case("create-2", "POST ticket, two workers", create(parts.workers)),
        Case("rows", "pydantic-core: 50 rows to JSON", partial(_rows, parts.service)),
        Case("page-1", "first page of 1", on(parts.service, [Request("GET", "/tickets?limit=1")], ("200",))),
        Case("page", "first page of 50", on(parts.service, page, ("200",), responses.is_first_page)),
        Case("desk-list", "desk: list of 50", on(parts.service, [Request("GET", "/desk/tickets")], ("200",))),
        Case("desk-ticket", "desk: ticket", on(parts.service, [Request("GET", "/desk/tickets/1")], ("200",))),
    ]
    return found + (_large_cases(parts.large_dsn, parts.large, texts) if parts.large and parts.large_dsn else [])


def _comments(ticket_ids: Sequence[int], texts: TextGenerator) -> list[Request]:
    bodies = ({"email": "bob@example.com", "text": "{n} " + texts.text(15, 15)} for _ in ticket_ids)
    return [
        Request("POST", f"/tickets/{ticket_id}/comments", _json(body))
        for ticket_id, body in zip(ticket_ids, bodies, strict=True)
    ]


def _large_cases(dsn: str, server: Server, texts: TextGenerator) -> list[Case]:
    tickets = _number_of_tickets(server)
    first, deep = Request("GET", "/tickets"), Request("GET", f"/tickets?cursor={_cursor_at(server, DEEP)}")
    filtered = [
        case
        for name, title, query, share in _FILTERS
        for case in _filtered_cases(server, partial(_WrkRun, dsn, server), name, title, query, round(share * tickets))
    ]
    ordinary = [Request("GET", f"/tickets?q={quote(texts.ordinary_query())}") for _ in range(_QUERIES)]
    common = [Request("GET", f"/tickets?q={quote(texts.common_query())}") for _ in range(_QUERIES)]
    on = partial(_WrkRun, dsn, server)
    find = partial(on, check=responses.has_search_results, connections=_SEARCH_CONNECTIONS)
    return [
        Case("large-page", "first page of 50, many tickets", on([first], ("200",), responses.is_first_page)),
        Case("deep-page", f"{DEEP:,} tickets deep, many tickets", on([deep], ("200",), responses.is_page_from(DEEP))),
        Case(
            "desk-large-list",
            "desk: list of 50, many tickets, one connection",
            on([Request("GET", "/desk/tickets?status=open&status=awaiting_reply")], ("200",), connections=1),
        ),
        *filtered,
        Case("search", "search, ordinary words", find(ordinary, ("200", "503"))),
        Case("search-common", "search, most frequent words", find(common, ("200", "503"))),
    ]


@dataclass(frozen=True)
class _WrkRun:
    """A case that wrk measures. First, the last `warm` requests are sent one by one, and their responses are checked.

    On a busy machine the circuit breaker of the cache may open for a while; such a run is discarded and repeated.
    """

    dsn: str
    server: Server
    requests: Sequence[Request]
    expected: tuple[str, ...]
    check: Check | None = None
    warm: int = 5
    connections: int = CONNECTIONS
    before: Callable[[], None] | None = None
    max_seconds: int | None = None  # after which every request would have been sent once

    def __call__(self, seconds: int, number: int) -> Measured:
        """Measure once. Raises LoadFailed, WrongResponse."""
        seconds = min(seconds, self.max_seconds or seconds)
        for attempt in range(_ATTEMPTS):
            measured = self._measure(seconds, number)
            if measured.share_of(*self.expected) >= _MIN_EXPECTED_SHARE:
                return replace(measured, discarded=attempt)
            number += measured.requests
        raise LoadFailed(f"{self.requests[0].path}: {measured.responses}, where {self.expected} were expected")

    def _measure(self, seconds: int, number: int) -> Measured:
        sampled = self.requests[-self.warm :]
        sampled_responses = sample(self.server, sampled)
        if self.check is not None:
            compare(self.dsn, sampled, sampled_responses, self.check)
        if self.before is not None:
            self.before()
        return load(self.server, self.requests, seconds=seconds, number=number, connections=self.connections)


def _pgbench(parts: Parts, new: dict[str, str], seconds: int, _number: int) -> Measured:
    connections = WORKERS * int(Settings.model_fields["database_pool_size"].default)
    values = {field_parameter(name): value for name, value in new.items()} | {"actor": "key:bench"}
    cpu = parts.service
    return pgbench(
        parts.dsn, values, connections=connections, seconds=seconds, database_cpu_s=lambda: cpu.database_cpu_s
    )


def _rows(server: Server, seconds: int, _number: int) -> Measured:
    (page,) = sample(server, [Request("GET", "/tickets")])
    return serialise(page.body.decode(), seconds=seconds / 4)


def _filtered_cases(
    server: Server, on: Callable[..., _WrkRun], name: str, title: str, query: str, depth: int
) -> list[Case]:
    first = Request("GET", f"/tickets?{query}")
    deep = Request("GET", f"/tickets?{query}&cursor={_cursor_at(server, depth, f'&{query}')}")
    has_all = responses.has_filtered_tickets
    return [
        Case(name, f"first page of {title}, many tickets", on([first], ("200",), has_all)),
        Case(f"{name}-deep", f"{depth:,} tickets deep in {title}", on([deep], ("200",), has_all)),
    ]


def _cursor_at(server: Server, depth: int, query: str = "") -> str:
    cursor = ""
    for _ in range(depth // 100):
        (page,) = sample(server, [Request("GET", f"/tickets?limit=100{query}{cursor and f'&cursor={cursor}'}")])
        cursor = page.json["next_cursor"]
    return cursor


def _number_of_tickets(server: Server) -> int:
    (page,) = sample(server, [Request("GET", "/tickets?limit=1")])
    latest: int = page.json["items"][0]["id"]
    return latest


async def _with_etags(dsn: str, requests: Sequence[Request]) -> list[Request]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("SELECT id, version FROM tickets WHERE id = ANY($1)", list(_CACHED))
    finally:
        await connection.close()
    versions = {row["id"]: row["version"] for row in rows}
    ids = [int(request.path.rpartition("/")[2]) for request in requests]
    return [Request("GET", f"/tickets/{each}", etag=f'"{versions[each]}"') for each in ids]


def _json(body: dict[str, str]) -> str:
    return json.dumps(body, ensure_ascii=False)
