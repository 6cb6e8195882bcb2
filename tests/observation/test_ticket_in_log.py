"""The log line of a request names the ticket that the request is about."""

from typing import Any

import httpx2
import pytest

from support.factories import a_comment, a_ticket, open_ticket

SECRET = "somebody@example.com"


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "api.middleware.access_log")


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the fields of the lines of requests so far."""
    return [record.__dict__["fields"] for record in caplog.records if record.name == "api.middleware.access_log"]


async def test_requests_below_a_ticket_name_it(client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    ticket_id = (await open_ticket(client))["id"]
    path = f"/tickets/{ticket_id}"
    caplog.clear()
    await client.get(path)
    await client.get(path, headers={"Cache-Control": "no-cache"})
    await client.get(f"{path}/history")
    await client.post(f"{path}/comments", json=a_comment())
    await client.patch(path, json={"status": "open"})
    assert [line["status"] for line in lines(caplog)] == [200, 200, 200, 201, 409]
    assert [line["ticket_id"] for line in lines(caplog)] == [ticket_id] * 5


async def test_a_created_ticket_is_named(client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    headers = {"Idempotency-Key": "named-in-the-log"}
    created = [(await client.post("/tickets", json=a_ticket(), headers=headers)).json()["id"] for _ in range(2)]
    assert [line["ticket_id"] for line in lines(caplog)] == created


async def test_other_requests_name_none(client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    for path in ("/tickets", "/workflow", f"/tickets/{SECRET}", "/tickets/0", "/tickets/12x", f"/tickets/{10**30}"):
        await client.get(path)
    await client.post("/tickets", json={})
    assert len(lines(caplog)) == 7
    assert not any("ticket_id" in line for line in lines(caplog))
