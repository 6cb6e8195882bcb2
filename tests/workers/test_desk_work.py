"""The work in the background of a serving process finishes what agents have begun."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx2
from fastapi import FastAPI

from models import DraftKind
from schemas.drafts import DraftSend
from services.access.principal import ANONYMOUS
from support.factories import open_ticket

TIMEOUT_S = 40


async def until(read: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not await read():
            await asyncio.sleep(0.1)


async def test_a_draft_is_sent(app: FastAPI, client: httpx2.AsyncClient) -> None:
    ticket_id = (await open_ticket(client))["id"]
    final = DraftSend(kind=DraftKind.REPLY, counter=1, base_version=1, email="bob@example.com", text="Hello", delay_s=0)
    await app.state.drafts.send(ticket_id, final, ANONYMOUS)

    async def comments() -> Any:
        return (await client.get(f"/tickets/{ticket_id}/comments")).json()["items"]

    await until(comments)


async def test_a_bulk_change_is_carried_out(client: httpx2.AsyncClient) -> None:
    ticket_id = (await open_ticket(client))["id"]
    body = {"ids": [ticket_id], "action": {"status": "closed"}}
    location = (await client.post("/tickets/bulk", json=body)).headers["Location"]

    async def is_finished() -> bool:
        return bool((await client.get(location)).json()["state"] == "finished")

    await until(is_finished)
    assert (await client.get(location)).json()["changed"] == 1


async def test_numbers_are_computed(client: httpx2.AsyncClient) -> None:
    await open_ticket(client)
    today = datetime.now(UTC).date()

    async def opened() -> Any:
        numbers = (await client.get(f"/numbers/days?since={today}&until={today}")).json()
        return numbers["complete"] and numbers["days"][0]["opened"]["count"]

    await until(opened)
