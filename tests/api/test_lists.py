"""Lists of tickets: filters, sort orders, and pages without gaps or duplicates."""

import base64
import json
import secrets
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx2
import pytest

from support.factories import JSON, a_comment, open_ticket


async def all_pages(client: httpx2.AsyncClient, limit: int = 100, **query: Any) -> list[JSON]:
    found: list[JSON] = []
    response = await client.get("/tickets", params={"limit": limit, **query})
    while True:
        assert response.status_code == 200, response.text
        found += response.json()["items"]
        if "next" not in response.links:
            assert response.json()["next_cursor"] is None
            return found
        assert len(response.json()["items"]) == limit
        response = await client.get(response.links["next"]["url"])


@pytest.fixture
async def email(client: httpx2.AsyncClient) -> str:
    """A requester with twelve tickets in all statuses; the order of their changes is not that of their creation."""
    email = f"{secrets.token_hex(6)}@example.com"
    tickets = [await open_ticket(client, email=email, subject=str(number)) for number in range(12)]
    for number in (7, 2, 9, 4):
        await client.post(f"/tickets/{tickets[number]['id']}/comments", json=a_comment(status="answered"))
    await client.patch(f"/tickets/{tickets[2]['id']}", json={"status": "awaiting_reply"})
    for number in (11, 4, 0):
        await client.patch(f"/tickets/{tickets[number]['id']}", json={"status": "closed"})
    return email


@pytest.mark.parametrize("sort", ["id", "-id", "created_at", "-created_at", "updated_at", "-updated_at"])
@pytest.mark.parametrize("statuses", [[], ["open"], ["answered", "closed", "awaiting_reply"]])
async def test_every_sort_order_has_complete_pages(
    client: httpx2.AsyncClient, email: str, sort: str, statuses: list[str]
) -> None:
    column = sort.removeprefix("-")
    everything = await all_pages(client, email=email)
    expected_tickets = [ticket for ticket in everything if not statuses or ticket["status"] in statuses]
    expected = sorted(expected_tickets, key=lambda ticket: (ticket[column], ticket["id"]), reverse=sort.startswith("-"))
    assert len(everything) == 12
    for limit in (1, 2, 5, 100):
        assert await all_pages(client, limit, email=email, sort=sort, status=statuses) == expected


async def test_the_newest_tickets_are_first_by_default(client: httpx2.AsyncClient, email: str) -> None:
    assert await all_pages(client, email=email) == await all_pages(client, email=email, sort="-id")


async def test_the_email_filter_ignores_case(client: httpx2.AsyncClient, email: str) -> None:
    assert len(await all_pages(client, email=email.upper())) == 12
    assert await all_pages(client, email=f"x{email}") == []


@pytest.mark.parametrize("column", ["created", "updated"])
async def test_a_time_range_includes_its_start_and_excludes_its_end(
    client: httpx2.AsyncClient, email: str, column: str
) -> None:
    ordered = await all_pages(client, email=email, sort=f"{column}_at")
    times = [ticket[f"{column}_at"] for ticket in ordered]
    span = {f"{column}_after": times[3], f"{column}_before": times[8]}
    assert await all_pages(client, 2, email=email, sort=f"{column}_at", **span) == ordered[3:8]


async def test_closed_tickets_are_found_by_the_time_of_their_end(client: httpx2.AsyncClient, email: str) -> None:
    closed = sorted(await all_pages(client, email=email, status="closed"), key=lambda ticket: ticket["closed_at"])
    assert len(closed) == 3
    span = {"closed_after": closed[1]["closed_at"], "closed_before": closed[2]["closed_at"]}
    assert await all_pages(client, email=email, **span) == closed[1:2]
    # A change after the end does not move it.
    linked = await client.put(f"/tickets/{closed[1]['id']}/links/relates_to/{closed[0]['id']}")
    assert linked.status_code == 200
    found = await all_pages(client, email=email, sort="updated_at", **span)
    assert [ticket["id"] for ticket in found] == [closed[1]["id"]]
    assert await all_pages(client, email=email, closed_before=closed[0]["closed_at"]) == []


async def test_all_filters_apply(client: httpx2.AsyncClient, email: str) -> None:
    tickets = await all_pages(client, email=email, sort="id")
    query = {"email": email, "status": ["open", "answered"], "created_after": tickets[5]["created_at"]}
    assert await all_pages(client, 2, sort="id", **query) == [
        ticket for ticket in tickets[5:] if ticket["status"] in {"open", "answered"}
    ]


async def test_tickets_created_while_paging_cause_no_gaps_or_duplicates(client: httpx2.AsyncClient, email: str) -> None:
    before = await all_pages(client, email=email)
    first = await client.get("/tickets", params={"email": email, "limit": 5})
    await open_ticket(client, email=email)
    rest = []
    url: str | None = first.links["next"]["url"]
    while url:
        response = await client.get(url)
        rest += response.json()["items"]
        url = response.links.get("next", {}).get("url")
    assert first.json()["items"] + rest == before


async def test_a_cursor_is_valid_for_its_own_filters_and_order_only(client: httpx2.AsyncClient, email: str) -> None:
    query: dict[str, Any] = {"email": email, "limit": 2, "sort": "-updated_at"}
    cursor = (await client.get("/tickets", params=query)).json()["next_cursor"]
    assert (await client.get("/tickets", params=query | {"cursor": cursor, "limit": 3})).status_code == 200
    for other in ({"sort": "updated_at"}, {"email": "x@example.com"}, {"status": "open"}):
        response = await client.get("/tickets", params=query | {"cursor": cursor} | other)
        assert (response.status_code, response.json()["type"]) == (422, "/problems/invalid-cursor")


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("status=reopened", "status"),
        ("sort=subject", "sort"),
        ("sort=id%3BDROP%20TABLE%20tickets", "sort"),
        ("created_after=yesterday", "created_after"),
        ("created_after=2026-01-01T00:00:00", "created_after"),
        ("created_after=9999-12-31T23:59:59-10:00", "created_after"),
        ("created_before=0001-01-01T00:00:00%2B10:00", "created_before"),
        ("updated_before=9999999999999999999", "updated_before"),
        ("email=%00", "email"),
        (f"email={'x' * 255}", "email"),
        ("status=open&limit=5&nothing=1", "nothing"),
    ],
)
async def test_an_invalid_filter_is_refused(client: httpx2.AsyncClient, query: str, parameter: str) -> None:
    response = await client.get(f"/tickets?{query}")
    assert response.status_code == 422
    assert parameter in [part["parameter"] for part in response.json()["errors"]]


async def test_times_can_have_any_offset(client: httpx2.AsyncClient, email: str) -> None:
    tickets = await all_pages(client, email=email, sort="id")
    opened_at = datetime.fromisoformat(tickets[5]["created_at"])
    in_kamchatka = opened_at.astimezone(timezone(timedelta(hours=12))).isoformat()
    assert in_kamchatka.endswith("+12:00")
    assert await all_pages(client, email=email, sort="id", created_before=in_kamchatka) == tickets[:5]
    assert await all_pages(client, email=email, sort="id", created_after=in_kamchatka) == tickets[5:]
    assert len(await all_pages(client, email=email, created_after="1970-01-01T00:00:00+12:00")) == 12
    for extreme in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"):
        assert (await client.get("/tickets", params={"created_after": extreme})).status_code == 200


async def test_history_has_one_event_for_each_version(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    path = f"/tickets/{ticket['id']}"
    comment = (await client.post(f"{path}/comments", json=a_comment(status="answered"))).json()
    await client.patch(path, json={"subject": "new", "status": "closed"})
    events: list[JSON] = []
    url: str | None = f"{path}/history?limit=2"
    while url:
        response = await client.get(url)
        events += response.json()["items"]
        url = response.links.get("next", {}).get("url")
    planned = [event["data"].pop("auto_close_at") for event in events[1:]]  # the automatic close of an answered ticket
    assert planned[0]["to"] == planned[1]["from"] is not None
    assert [(event["version"], event["type"], event["data"]) for event in events] == [
        (1, "created", {}),
        (2, "commented", {"comment_id": comment["id"], "status": {"from": "open", "to": "answered"}}),
        (
            3,
            "changed",
            {"status": {"from": "answered", "to": "closed"}, "subject": {"from": ticket["subject"], "to": "new"}},
        ),
    ]
    assert all(event["actor"] == "anonymous" for event in events)
    # The members keep the order of PostgreSQL's jsonb: by length, then by their bytes.
    data = f'"data":{{"status":{{"to":"answered","from":"open"}},"comment_id":{comment["id"]},"auto_close_at":'
    assert data in (await client.get(f"{path}/history")).text
    missing = await client.get(f"/tickets/{2**63 - 1}/history")
    assert missing.status_code == 404


async def test_a_cursor_is_valid_for_another_spelling_of_its_filters(client: httpx2.AsyncClient, email: str) -> None:
    query = f"email={email}&limit=2"
    cursor = (await client.get(f"/tickets?{query}&status=open&status=closed")).json()["next_cursor"]
    same = f"/tickets?email={email.upper()}&limit=3&status=closed&status=open&status=closed&cursor={cursor}"
    assert (await client.get(same)).status_code == 200


@pytest.mark.parametrize("sort", ["id", "created_at"])
async def test_a_forged_or_changed_cursor_is_refused(client: httpx2.AsyncClient, email: str, sort: str) -> None:
    path = f"/tickets?email={email}&limit=2&sort={sort}"
    cursor = (await client.get(path)).json()["next_cursor"]
    content = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    number, moment = json.loads(content[16:])
    for forged in ([number + 1, moment], [2**31, moment], [number, "0001-01-01T00:00:00+14:00"], [True, moment], []):
        sealed = base64.urlsafe_b64encode(content[:16] + json.dumps(forged).encode()).decode().rstrip("=")
        response = await client.get(f"{path}&cursor={sealed}")
        assert (response.status_code, response.json()["type"]) == (422, "/problems/invalid-cursor")
    for place in range(0, len(content), 5):
        changed = bytearray(content)
        changed[place] ^= 1
        sealed = base64.urlsafe_b64encode(changed).decode().rstrip("=")
        assert (await client.get(f"{path}&cursor={sealed}")).status_code == 422
