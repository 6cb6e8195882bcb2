"""Agents whose changes are for agents only, in part or wholly, and tickets of several requesters."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Final

import httpx2

from chaos.clients import Crowd
from chaos.instances import WriterKilled, fate_of_writer
from support.factories import a_comment, a_ticket

REQUESTERS: Final = ("alice@example.com", "bob@example.com", "carol@example.com")
_PAUSE_S: Final = 0.1
_TAGS: Final = ("red", "green", "blue")
_MAX_TICKETS: Final = 60
_EXPECTED: Final = frozenset({200, 201, 409, 412, 503})


@dataclass
class Team:
    """Writes to the tickets of the crowd, and most often to `followed`, which the crowd does not close."""

    crowd: Crowd
    followed: int
    dice: Random
    counts: Counter[str]
    violations: list[str]

    async def run(self, *, until: float) -> None:
        """Write until a time of `time.monotonic()`."""
        while time.monotonic() < until:
            try:
                response = await self._write(self.dice.choice(self.crowd.instances).client)
            except (httpx2.TransportError, WriterKilled):
                self.counts["of unknown outcome"] += 1
            else:
                self.counts[f"responses {response.status_code}"] += 1
                if response.status_code not in _EXPECTED:
                    self.violations.append(f"a write got {response.status_code} {response.text[:200]}")
            await asyncio.sleep(self.dice.uniform(0, _PAUSE_S))

    async def _write(self, client: httpx2.AsyncClient) -> httpx2.Response:
        fate_of_writer.set(None)
        luck, text = self.dice.random(), f"{self.dice.random()}"
        ticket_id = self.followed if self.dice.random() < 0.3 else self.dice.choice(self.crowd.tickets)
        path = f"/tickets/{ticket_id}"
        if luck < 0.1 and len(self.crowd.tickets) < _MAX_TICKETS:
            created = await client.post("/tickets", json=a_ticket(email=self.dice.choice(REQUESTERS), subject=text))
            if created.status_code == 201:
                self.crowd.tickets.append(created.json()["id"])
            return created
        if luck < 0.4:
            return await client.post(f"{path}/comments", json=a_comment(text=text, visibility="internal"))
        if luck < 0.55:
            return await client.post(f"{path}/comments", json=a_comment(text=text))
        tag = self.dice.choice(_TAGS)
        if luck < 0.7:
            return await client.put(f"{path}/tags/{tag}")
        # One event with a fact for everyone and a fact for agents.
        return await client.patch(path, json={"subject": text, "tags": [tag]})
