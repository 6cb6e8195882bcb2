"""Clients that create, discuss, move, edit and mostly read tickets, and remember what they were told."""

import asyncio
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final

import httpx2

from chaos.history import Kind, Operation, Outcome, State
from chaos.instances import Fate, Instance, WriterKilled, fate_of_writer
from support.factories import JSON, a_comment, a_ticket

_WEIGHTS: Final = {
    Kind.READ: 720,
    Kind.COMMENT: 90,
    Kind.REPLY: 60,
    Kind.MOVE: 50,
    Kind.EDIT: 75,
    Kind.CREATE: 5,
}
# Closed tickets take no more writes: few are closed, and new ones come.
_TARGETS: Final = {"answered": 48, "awaiting_reply": 48, "closed": 2, "open": 2}
_HOT: Final = 8
_PAUSE_S: Final = 0.015


@dataclass(slots=True)
class Crowd:
    """What all the clients share: the tickets that are there, and what happened."""

    instances: Sequence[Instance]
    tickets: list[int] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)


class Gone(Exception):
    """A client that did not wait for its answer."""


class Client:
    """One of the clients; what it does is up to its dice."""

    def __init__(self, name: str, dice: Random, crowd: Crowd) -> None:
        self._name = name
        self._dice = dice
        self._crowd = crowd
        self._known: dict[int, int] = {}
        self._count = 0

    async def run(self, *, until: float) -> None:
        """Do one thing after the other, until a time of `time.monotonic()`."""
        task = asyncio.current_task()
        assert task is not None
        # Python 3.11's `wait_for`, which the Redis client uses, now and then swallows being cancelled.
        while time.monotonic() < until and not task.cancelling():
            await self.act()
            await asyncio.sleep(self._dice.uniform(0, _PAUSE_S))

    async def act(self) -> Operation:
        """Do one thing, and record how it went."""
        kind = self._dice.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0] if self._crowd.tickets else Kind.CREATE
        ticket_id = None if kind is Kind.CREATE else self._some_ticket()
        return await self._ask(kind, ticket_id, self._some_fate(kind), self._some_patience())

    async def open_ticket(self) -> Operation:
        """Create a ticket, however long it takes, and record how it went."""
        return await self._ask(Kind.CREATE, None, None, None)

    async def look_at(self, ticket_id: int) -> Operation:
        """Read a ticket, however long it takes, and record how it went."""
        return await self._ask(Kind.READ, ticket_id, None, None)

    async def _ask(self, kind: Kind, ticket_id: int | None, fate: Fate | None, timeout_s: float | None) -> Operation:
        crowd, instance = self._crowd, self._dice.choice(self._crowd.instances)
        self._count += 1
        asked = Operation(
            kind=kind,
            ticket_id=ticket_id,
            token="" if kind is Kind.READ else f"{self._name}-{self._count}",
            target=self._some_target() if kind in (Kind.REPLY, Kind.MOVE) else None,
            expected=self._known.get(ticket_id or 0) if kind is Kind.EDIT and self._dice.random() < 0.3 else None,
            instance=instance.number,
            began_at=time.monotonic(),
            ended_at=0,
            outcome=Outcome.UNKNOWN,
        )
        fate_of_writer.set(fate)
        try:
            answer = await self._patiently(self._request(instance.client, asked), timeout_s)
        except WriterKilled:
            crowd.faults[f"writer killed {'before' if fate and fate.before_commit else 'after'} its commit"] += 1
            done = replace(asked, ended_at=time.monotonic(), how="writer killed")
        except Gone:
            crowd.faults["request cancelled"] += 1
            done = replace(asked, ended_at=time.monotonic(), how="cancelled")
        except Exception as error:  # noqa: BLE001 - whatever the service lets through is what we are here to find
            trace = "".join(traceback.format_exception(error, limit=-12))
            done = replace(asked, ended_at=time.monotonic(), outcome=Outcome.FAILED, how=trace)
        else:
            done = _judged(replace(asked, ended_at=time.monotonic()), answer)
        crowd.operations.append(done)
        self._remember(done)
        return done

    async def _request(self, client: httpx2.AsyncClient, asked: Operation) -> httpx2.Response:
        path, status = f"/tickets/{asked.ticket_id}", {"status": asked.target} if asked.target else {}
        match asked.kind:
            case Kind.CREATE:
                return await client.post("/tickets", json=a_ticket(subject=asked.token))
            case Kind.COMMENT | Kind.REPLY:
                return await client.post(f"{path}/comments", json=a_comment(text=asked.token, **status))
            case Kind.MOVE | Kind.EDIT:
                headers = {"If-Match": f'"{asked.expected}"'} if asked.expected else {}
                return await client.patch(path, json={"subject": asked.token} | status, headers=headers)
            case Kind.READ:
                return await client.get(path, headers=self._some_headers(asked.ticket_id or 0))

    async def _patiently(self, request: Awaitable[httpx2.Response], timeout_s: float | None) -> httpx2.Response:
        try:
            async with asyncio.timeout(timeout_s):
                return await request
        except TimeoutError:
            raise Gone from None

    def _remember(self, done: Operation) -> None:
        if done.version is None or done.ticket_id is None:
            return
        self._known[done.ticket_id] = done.version
        if done.kind is Kind.CREATE:
            self._crowd.tickets.append(done.ticket_id)

    def _some_ticket(self) -> int:
        tickets = self._crowd.tickets
        return self._dice.choice(tickets[-_HOT:] if self._dice.random() < 0.75 else tickets)

    def _some_target(self) -> str:
        return self._dice.choices(list(_TARGETS), list(_TARGETS.values()))[0]

    def _some_fate(self, kind: Kind) -> Fate | None:
        luck = self._dice.random()
        return Fate(before_commit=luck < 0.015) if kind is not Kind.READ and luck < 0.06 else None

    def _some_patience(self) -> float | None:
        return self._dice.uniform(0, 0.02) if self._dice.random() < 0.02 else None

    def _some_headers(self, ticket_id: int) -> dict[str, str]:
        luck = self._dice.random()
        if luck < 0.1:
            return {"Cache-Control": "no-cache"}
        if luck < 0.2 and ticket_id in self._known:
            return {"If-None-Match": f'"{self._known[ticket_id]}"'}
        return {}


def _judged(asked: Operation, answer: httpx2.Response) -> Operation:
    """Return an operation with what its answer says."""
    how = answer.headers.get("Cache-Status", "")
    match answer.status_code:
        case 200 | 201 | 304:
            body: JSON = {} if answer.status_code == 304 else answer.json()
            ticket_id = body.get("id") if asked.kind is Kind.CREATE else asked.ticket_id
            version = int(answer.headers["ETag"].strip('"'))
            is_seen = asked.kind is Kind.READ and bool(body)
            if is_seen and body["version"] != version:
                return replace(asked, outcome=Outcome.FAILED, how=f"version {body['version']} with ETag {version}")
            return replace(
                asked,
                outcome=Outcome.ACKNOWLEDGED,
                ticket_id=ticket_id,
                version=version,
                seen=_seen(body) if is_seen else None,
                how=how,
            )
        case 409 | 412:
            return replace(asked, outcome=Outcome.REFUSED, how=str(answer.status_code))
        case status:
            return replace(asked, outcome=Outcome.FAILED, how=f"{status} {answer.text[:200]}")


def _seen(body: dict[str, Any]) -> State:
    comments = body["comments"]
    return State(
        status=body["status"],
        subject=body["subject"],
        comments=body["comment_count"],
        last_comment=comments[-1]["text"] if comments else None,
    )
