"""Clients that create, comment, move, edit and mostly read tickets, and record the responses."""

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
# Closed tickets accept no writes. Few are closed, and new ones are created.
_TARGETS: Final = {"answered": 48, "awaiting_reply": 48, "closed": 2, "open": 2}
_HOT: Final = 8
_PAUSE_S: Final = 0.015


@dataclass(slots=True)
class Crowd:
    """The state that all clients share: the tickets and the operations."""

    instances: Sequence[Instance]
    tickets: list[int] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)


class Cancelled(Exception):
    """Raised when a client stops waiting for the response."""


@dataclass
class Client:
    """A client whose operations are random."""

    name: str
    dice: Random
    crowd: Crowd
    _known: dict[int, int] = field(default_factory=dict)
    _count: int = 0

    async def run(self, *, until: float) -> None:
        """Send requests one after the other, until a time of `time.monotonic()`."""
        task = asyncio.current_task()
        assert task is not None
        # `wait_for` of Python 3.11, which the Redis client uses, sometimes swallows a cancellation.
        while time.monotonic() < until and not task.cancelling():
            await self.act()
            await asyncio.sleep(self.dice.uniform(0, _PAUSE_S))

    async def act(self) -> Operation:
        """Send a random request and record its outcome."""
        kind = self.dice.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0] if self.crowd.tickets else Kind.CREATE
        ticket_id = None if kind is Kind.CREATE else self._some_ticket()
        return await self._send(kind, ticket_id, self._some_fate(kind), self._some_timeout())

    async def open_ticket(self) -> Operation:
        """Create a ticket without a timeout and record the outcome."""
        return await self._send(Kind.CREATE, None, None, None)

    async def look_at(self, ticket_id: int) -> Operation:
        """Read a ticket without a timeout and record the outcome."""
        return await self._send(Kind.READ, ticket_id, None, None)

    async def _send(self, kind: Kind, ticket_id: int | None, fate: Fate | None, timeout_s: float | None) -> Operation:
        crowd, instance = self.crowd, self.dice.choice(self.crowd.instances)
        self._count += 1
        request = Operation(
            kind=kind,
            ticket_id=ticket_id,
            token="" if kind is Kind.READ else f"{self.name}-{self._count}",
            target=self._some_target() if kind in (Kind.REPLY, Kind.MOVE) else None,
            expected=self._known.get(ticket_id or 0) if kind is Kind.EDIT and self.dice.random() < 0.3 else None,
            instance=instance.number,
            began_at=time.monotonic(),
            ended_at=0,
            outcome=Outcome.UNKNOWN,
        )
        fate_of_writer.set(fate)
        try:
            response = await self._within(timeout_s, self._response(instance.client, request))
        except WriterKilled:
            crowd.faults[f"writer killed {'before' if fate and fate.before_commit else 'after'} its commit"] += 1
            done = replace(request, ended_at=time.monotonic(), how="writer killed")
        except Cancelled:
            crowd.faults["request cancelled"] += 1
            done = replace(request, ended_at=time.monotonic(), how="cancelled")
        except Exception as error:  # noqa: BLE001 - every exception that the service raises is a failure to find
            trace = "".join(traceback.format_exception(error, limit=-12))
            done = replace(request, ended_at=time.monotonic(), outcome=Outcome.FAILED, how=trace)
        else:
            done = _with_outcome(replace(request, ended_at=time.monotonic()), response)
        crowd.operations.append(done)
        self._remember(done)
        return done

    async def _response(self, client: httpx2.AsyncClient, request: Operation) -> httpx2.Response:
        path, status = f"/tickets/{request.ticket_id}", {"status": request.target} if request.target else {}
        match request.kind:
            case Kind.CREATE:
                return await client.post("/tickets", json=a_ticket(subject=request.token))
            case Kind.COMMENT | Kind.REPLY:
                return await client.post(f"{path}/comments", json=a_comment(text=request.token, **status))
            case Kind.MOVE | Kind.EDIT:
                headers = {"If-Match": f'"{request.expected}"'} if request.expected else {}
                return await client.patch(path, json={"subject": request.token} | status, headers=headers)
            case Kind.READ:
                return await client.get(path, headers=self._some_headers(request.ticket_id or 0))

    async def _within(self, timeout_s: float | None, response: Awaitable[httpx2.Response]) -> httpx2.Response:
        try:
            async with asyncio.timeout(timeout_s):
                return await response
        except TimeoutError:
            raise Cancelled from None

    def _remember(self, done: Operation) -> None:
        if done.version is None or done.ticket_id is None:
            return
        self._known[done.ticket_id] = done.version
        if done.kind is Kind.CREATE:
            self.crowd.tickets.append(done.ticket_id)

    def _some_ticket(self) -> int:
        tickets = self.crowd.tickets
        return self.dice.choice(tickets[-_HOT:] if self.dice.random() < 0.75 else tickets)

    def _some_target(self) -> str:
        return self.dice.choices(list(_TARGETS), list(_TARGETS.values()))[0]

    def _some_fate(self, kind: Kind) -> Fate | None:
        luck = self.dice.random()
        return Fate(before_commit=luck < 0.015) if kind is not Kind.READ and luck < 0.06 else None

    def _some_timeout(self) -> float | None:
        return self.dice.uniform(0, 0.02) if self.dice.random() < 0.02 else None

    def _some_headers(self, ticket_id: int) -> dict[str, str]:
        luck = self.dice.random()
        if luck < 0.1:
            return {"Cache-Control": "no-cache"}
        if luck < 0.2 and ticket_id in self._known:
            return {"If-None-Match": f'"{self._known[ticket_id]}"'}
        return {}


def _with_outcome(request: Operation, response: httpx2.Response) -> Operation:
    """Return an operation with the outcome of its response."""
    how = response.headers.get("Cache-Status", "")
    match response.status_code:
        case 200 | 201 | 304:
            body: JSON = {} if response.status_code == 304 else response.json()
            ticket_id = body.get("id") if request.kind is Kind.CREATE else request.ticket_id
            version = int(response.headers["ETag"].strip('"'))
            is_seen = request.kind is Kind.READ and bool(body)
            if is_seen and body["version"] != version:
                return replace(request, outcome=Outcome.FAILED, how=f"version {body['version']} with ETag {version}")
            return replace(
                request,
                outcome=Outcome.ACKNOWLEDGED,
                ticket_id=ticket_id,
                version=version,
                seen=_seen(body) if is_seen else None,
                how=how,
            )
        case 409 | 412:
            return replace(request, outcome=Outcome.REFUSED, how=str(response.status_code))
        case status:
            return replace(request, outcome=Outcome.FAILED, how=f"{status} {response.text[:200]}")


def _seen(body: dict[str, Any]) -> State:
    comments = body["comments"]
    return State(
        status=body["status"],
        subject=body["subject"],
        comments=body["comment_count"],
        last_comment=comments[-1]["text"] if comments else None,
    )
