"""Clients that create, comment, move, edit and mostly read tickets, and record the responses.

Half of the new tickets and comments have an idempotency key. Their clients repeat a request of unknown outcome, mostly
at another instance, until they know its outcome.
"""

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
    Kind.EDIT: 65,
    Kind.CONFIRM: 10,
    Kind.CREATE: 5,
}
_KEYED: Final = frozenset({Kind.CREATE, Kind.COMMENT, Kind.REPLY})
# Closed tickets accept no writes. Few are closed, and new ones are created.
_TARGETS: Final = {"answered": 48, "awaiting_reply": 48, "closed": 2, "open": 2}
_HOT: Final = 8
_PAUSE_S: Final = 0.015
_MAX_ATTEMPTS: Final = 12
_PAUSE_BEFORE_RETRY_S: Final = 0.4
_IN_PROGRESS: Final = "/problems/request-in-progress"


@dataclass(slots=True)
class Crowd:
    """The state that all clients share: the tickets and the operations."""

    instances: Sequence[Instance]
    tickets: list[int] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)


class NoResponse(Exception):
    """Raised when a client gets no response: it stopped waiting, or the process or its writer was killed."""


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

    async def look_at(self, ticket_id: int, instance: Instance | None = None) -> Operation:
        """Read a ticket from an instance without a timeout and record the outcome."""
        return await self._send(Kind.READ, ticket_id, None, None, instance)

    async def _send(
        self,
        kind: Kind,
        ticket_id: int | None,
        fate: Fate | None,
        timeout_s: float | None,
        instance: Instance | None = None,
    ) -> Operation:
        self._count += 1
        request = Operation(
            kind=kind,
            ticket_id=ticket_id,
            token=f"{self.name}-{self._count}" if kind.is_write else "",
            target=self._some_target() if kind in (Kind.REPLY, Kind.MOVE) else None,
            expected=self._known.get(ticket_id or 0) if kind is Kind.EDIT and self.dice.random() < 0.3 else None,
            began_at=time.monotonic(),
            ended_at=0,
            outcome=Outcome.UNKNOWN,
        )
        if kind is Kind.CONFIRM:
            read = await self._load(ticket_id or 0)
            if read is None or read.seen is None:
                return request
            request = replace(request, expected=read.version, token=read.seen.subject, began_at=time.monotonic())
        key = request.token if kind in _KEYED and self.dice.random() < 0.5 else None
        done = await self._attempt(request, key, fate, timeout_s, instance)
        while done.outcome is Outcome.UNKNOWN and key is not None and done.attempts < _MAX_ATTEMPTS:
            await asyncio.sleep(self.dice.uniform(0, _PAUSE_BEFORE_RETRY_S))
            self.crowd.faults["request repeated under its key"] += 1
            done = await self._attempt(replace(request, attempts=done.attempts + 1), key, None, None, None)
        if done.outcome is Outcome.REFUSED and done.attempts > 1:
            # The refusal is that of the last attempt: an earlier one may still be on its way.
            done = replace(done, outcome=Outcome.UNKNOWN)
        self.crowd.operations.append(done)
        self._remember(done)
        return done

    async def _load(self, ticket_id: int) -> Operation | None:
        """Read a ticket past the cache."""
        read = Operation(
            kind=Kind.READ, ticket_id=ticket_id, began_at=time.monotonic(), ended_at=0, outcome=Outcome.UNKNOWN
        )
        done = await self._attempt(read, None, None, None, None, {"Cache-Control": "no-cache"})
        self.crowd.operations.append(done)
        return done if done.outcome is Outcome.ACKNOWLEDGED else None

    async def _attempt(
        self,
        request: Operation,
        key: str | None,
        fate: Fate | None,
        timeout_s: float | None,
        instance: Instance | None,
        headers: dict[str, str] | None = None,
    ) -> Operation:
        """Send a request once, to a random instance unless one is given, and return it with its outcome."""
        instance = instance or self.dice.choice(self.crowd.instances)
        request = replace(request, instance=instance.number)
        if headers is None:
            headers = self._some_headers(request) if request.kind is Kind.READ else {}
        if key is not None:
            headers = headers | {"Idempotency-Key": key}
        fate_of_writer.set(fate)
        try:
            response = await self._within(timeout_s, self._response(instance.client, request, headers))
        except NoResponse as reason:
            return replace(request, ended_at=time.monotonic(), how=str(reason))
        except Exception as error:  # noqa: BLE001 - every exception that the service raises is a failure to find
            trace = "".join(traceback.format_exception(error, limit=-12))
            return replace(request, ended_at=time.monotonic(), outcome=Outcome.FAILED, how=trace)
        return _with_outcome(replace(request, ended_at=time.monotonic()), response)

    async def _response(
        self, client: httpx2.AsyncClient, request: Operation, headers: dict[str, str]
    ) -> httpx2.Response:
        path, status = f"/tickets/{request.ticket_id}", {"status": request.target} if request.target else {}
        match request.kind:
            case Kind.CREATE:
                return await client.post("/tickets", json=a_ticket(subject=request.token), headers=headers)
            case Kind.COMMENT | Kind.REPLY:
                comment = a_comment(text=request.token, **status)
                return await client.post(f"{path}/comments", json=comment, headers=headers)
            case Kind.MOVE | Kind.EDIT | Kind.CONFIRM:
                headers = {"If-Match": f'"{request.expected}"'} if request.expected else {}
                return await client.patch(path, json={"subject": request.token} | status, headers=headers)
            case Kind.READ:
                return await client.get(path, headers=headers)

    async def _within(self, timeout_s: float | None, response: Awaitable[httpx2.Response]) -> httpx2.Response:
        try:
            async with asyncio.timeout(timeout_s):
                return await response
        except TimeoutError:
            self.crowd.faults["request cancelled"] += 1
            raise NoResponse("cancelled") from None
        except WriterKilled:
            self.crowd.faults["writer killed at its commit"] += 1
            raise NoResponse("writer killed") from None
        except httpx2.TransportError as error:
            self.crowd.faults["connection to the service lost"] += 1
            raise NoResponse(f"{type(error).__name__}: {error}") from None

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

    def _some_headers(self, read: Operation) -> dict[str, str]:
        luck, ticket_id = self.dice.random(), read.ticket_id or 0
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
        case 409 if response.json()["type"].endswith(_IN_PROGRESS):
            return replace(request, how="in progress")
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
