"""The cases: what is sent to which server, and what has to come back."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final
from urllib.parse import quote

import asyncpg

from bench import answers
from bench.answers import Check, compare, sample
from bench.limits import pgbench, serialise
from bench.load import CONNECTIONS, LoadFailed, Measured, Request, load
from bench.server import Server
from bench.servers import Servers
from bench.words import Speaker
from core.settings import Settings
from services.tickets.statements import field_parameter

WORKERS: Final = 2
DEEP: Final = 10_000
_CACHED: Final = range(1, 201)
_MISSED: Final = range(201, 7_001)
# Odd, and so open.
_WRITTEN: Final = range(7_001, 10_001, 2)
_QUERIES: Final = 2_000
_SEARCHERS: Final = 8
# Of the rest, some were asked for just when their entry in the cache ended.
_RIGHT_SHARE: Final = 0.99
_ATTEMPTS: Final = 4


@dataclass(frozen=True)
class Case:
    """Something measured: `run` takes the seconds and a number that no earlier run had."""

    name: str
    title: str
    run: Callable[[int, int], Measured]


@dataclass(frozen=True)
class Parts:
    """The servers that the cases are about; `large` leads to many tickets, and is not always there."""

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
    """Return the cases, each after what it is compared with."""
    speaker = Speaker(seed=1)
    new = {"subject": "ticket {n}", "text": speaker.text(25, 25), "email": "alice@example.com"}
    opening = [Request("POST", "/tickets", _written(new))]
    comments = [
        Request("POST", f"/tickets/{ticket_id}/comments", _written({"email": "bob@example.com", "text": "{n} " + text}))
        for ticket_id, text in ((ticket_id, speaker.text(15, 15)) for ticket_id in _WRITTEN)
    ]
    changes = [Request("PATCH", f"/tickets/{each}", _written({"subject": "changed {n}"})) for each in _WRITTEN]
    cached = [Request("GET", f"/tickets/{each}") for each in _CACHED]
    known = asyncio.run(_with_tags(parts.dsn, cached))
    missed = [Request("GET", f"/tickets/{each}") for each in _MISSED]
    page = [Request("GET", "/tickets")]
    on = partial(_Sent, parts.dsn)
    create = on(parts.service, opening, ("201",), answers.opened_ticket)
    shown, new_again = answers.shows_ticket, answers.shows_nothing_new
    miss = on(parts.service, missed, ("200 miss",), shown, before=parts.servers.forget_cache, most_seconds=1)
    found = [
        Case("bare", "bare ASGI application", on(parts.bare, cached, ("200",))),
        Case("hit-plain", "cached ticket, anonymous, no log", on(parts.plain, cached, ("200 hit",), shown, warm=200)),
        Case("hit", "cached ticket", on(parts.service, cached, ("200 hit",), shown, warm=200)),
        Case("hit-2", "cached ticket, two workers", on(parts.workers, cached, ("200 hit",), shown, warm=200)),
        Case("not-modified", "cached ticket, 304", on(parts.service, known, ("304 hit",), new_again, warm=200)),
        Case("miss", "ticket not cached", miss),
        Case("validated", "POST that stores nothing", on(parts.validated, opening, ("201",))),
        Case("create", "POST ticket", create),
        Case("comment", "POST comment", on(parts.service, comments, ("201",), answers.added_comment)),
        Case("change", "PATCH ticket", on(parts.service, changes, ("200",), answers.changed_ticket)),
        Case("pgbench", "pgbench: CREATE alone", partial(_pgbench, parts, new)),
        Case("create-2", "POST ticket, two workers", on(parts.workers, opening, ("201",), answers.opened_ticket)),
        Case("rows", "pydantic-core: 50 rows to JSON", partial(_rows, parts.service)),
        Case("page-1", "first page of 1", on(parts.service, [Request("GET", "/tickets?limit=1")], ("200",))),
        Case("page", "first page of 50", on(parts.service, page, ("200",), answers.lists_first)),
    ]
    return found + (_large_cases(parts.large_dsn, parts.large, speaker) if parts.large and parts.large_dsn else [])


def _large_cases(dsn: str, server: Server, speaker: Speaker) -> list[Case]:
    first, deep = Request("GET", "/tickets"), Request("GET", f"/tickets?cursor={_cursor_at(server, DEEP)}")
    ordinary = [Request("GET", f"/tickets?q={quote(speaker.ordinary_query())}") for _ in range(_QUERIES)]
    common = [Request("GET", f"/tickets?q={quote(speaker.common_query())}") for _ in range(_QUERIES)]
    on = partial(_Sent, dsn, server)
    find = partial(on, check=answers.finds_words, connections=_SEARCHERS)
    return [
        Case("large-page", "first page of 50, many tickets", on([first], ("200",), answers.lists_first)),
        Case("deep-page", f"{DEEP:,} rows deep, many tickets", on([deep], ("200",), answers.lists_from(DEEP))),
        Case("search", "search, ordinary words", find(ordinary, ("200", "503"))),
        Case("search-common", "search, commonest words", find(common, ("200", "503"))),
    ]


@dataclass(frozen=True)
class _Sent:
    """A case by wrk. Of the requests, `warm` are first sent one by one, and what comes back is compared.

    On a machine that others keep busy the cache may be given up for a while: then it is measured again.
    """

    dsn: str
    server: Server
    requests: Sequence[Request]
    expected: tuple[str, ...]
    check: Check | None = None
    warm: int = 5
    connections: int = CONNECTIONS
    before: Callable[[], None] | None = None
    most_seconds: int | None = None  # after which the requests would have been through

    def __call__(self, seconds: int, number: int) -> Measured:
        """Measure once. Raises LoadFailed, WrongAnswer."""
        seconds = min(seconds, self.most_seconds or seconds)
        for attempt in range(_ATTEMPTS):
            measured = self._measure(seconds, number)
            if measured.share_of(*self.expected) >= _RIGHT_SHARE:
                return replace(measured, discarded=attempt)
            number += measured.requests
        raise LoadFailed(f"{self.requests[0].path}: {measured.answers}, where {self.expected} was expected")

    def _measure(self, seconds: int, number: int) -> Measured:
        sampled = self.requests[-self.warm :]
        got = sample(self.server, sampled)
        if self.check is not None:
            compare(self.dsn, sampled, got, self.check)
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


def _cursor_at(server: Server, depth: int) -> str:
    cursor = ""
    for _ in range(depth // 100):
        (page,) = sample(server, [Request("GET", f"/tickets?limit=100{cursor and f'&cursor={cursor}'}")])
        cursor = page.json["next_cursor"]
    return cursor


async def _with_tags(dsn: str, requests: Sequence[Request]) -> list[Request]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("SELECT id, version FROM tickets WHERE id = ANY($1)", list(_CACHED))
    finally:
        await connection.close()
    versions = {row["id"]: row["version"] for row in rows}
    ids = [int(request.path.rpartition("/")[2]) for request in requests]
    return [Request("GET", f"/tickets/{each}", known=f'"{versions[each]}"') for each in ids]


def _written(body: dict[str, str]) -> str:
    return json.dumps(body, ensure_ascii=False)
