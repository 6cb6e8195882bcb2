"""Assignment: take and release, priority, and references that do not exist."""

import asyncio
import secrets

import httpx2
import pytest

from access.conftest import ALICE, GuardedService
from models import Role
from support.factories import JSON, a_ticket, open_ticket, ticket_in


async def test_a_taken_ticket_is_assigned_to_the_caller(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    taken = await client.post(f"/tickets/{ticket['id']}/take")
    assert (taken.status_code, taken.json()["assignee_id"], taken.headers["ETag"]) == (200, "anonymous", '"2"')
    again = await client.post(f"/tickets/{ticket['id']}/take")
    assert (again.status_code, again.headers["ETag"]) == (200, '"2"')
    released = await client.post(f"/tickets/{ticket['id']}/release")
    assert (released.json()["assignee_id"], released.headers["ETag"]) == (None, '"3"')
    assert (await client.post(f"/tickets/{ticket['id']}/release")).headers["ETag"] == '"3"'
    *_, event = (await client.get(f"/tickets/{ticket['id']}/history")).json()["items"]
    assert event["data"] == {"assignee_id": {"from": "anonymous", "to": None}}


async def test_of_fifty_agents_that_take_a_ticket_at_once_one_succeeds(
    service: GuardedService, agent: dict[str, str]
) -> None:
    agents = [await service.headers_for(f"agent-{number}-{secrets.token_hex(2)}", Role.AGENT) for number in range(50)]
    created = await service.client.post("/tickets", json=a_ticket(), headers=agent)
    path = f"/tickets/{created.json()['id']}"
    responses = await asyncio.gather(*(service.client.post(f"{path}/take", headers=headers) for headers in agents))
    assert sorted({response.status_code for response in responses}) == [200, 409]
    (winner,) = (response.json()["assignee_id"] for response in responses if response.status_code == 200)
    refused = [response.json() for response in responses if response.status_code == 409]
    assert {(problem["type"], problem["assignee_id"]) for problem in refused} == {
        ("/problems/already-assigned", winner)
    }
    assert (await service.client.get(path, headers=agent)).json()["version"] == 2


async def test_an_assigned_ticket_is_taken_over_on_request_only(service: GuardedService, agent: dict[str, str]) -> None:
    other = await service.headers_for(f"other-{secrets.token_hex(4)}", Role.AGENT)
    created = await service.client.post("/tickets", json=a_ticket(), headers=agent)
    path = f"/tickets/{created.json()['id']}"
    await service.client.post(f"{path}/take", headers=agent)
    assert (await service.client.post(f"{path}/take", headers=other)).status_code == 409
    assert (await service.client.post(f"{path}/release", headers=other)).status_code == 409
    stolen = await service.client.post(f"{path}/take?steal=true", headers=other)
    assert (stolen.status_code, stolen.json()["assignee_id"][:10]) == (200, "key:other-")


async def test_a_take_can_depend_on_a_version(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    refused = await client.post(f"/tickets/{ticket['id']}/take", headers={"If-Match": '"7"'})
    assert (refused.status_code, refused.headers["ETag"]) == (412, '"1"')


async def test_a_closed_ticket_is_not_taken(client: httpx2.AsyncClient) -> None:
    ticket = await ticket_in(client, "closed")
    for action in ("take", "release"):
        response = await client.post(f"/tickets/{ticket['id']}/{action}")
        assert (response.status_code, response.json()["type"]) == (409, "/problems/ticket-closed")


@pytest.mark.parametrize(
    ("field", "value"), [("assignee_id", "person:999999"), ("assignee_id", "key:nobody"), ("group_id", 999_999)]
)
async def test_an_unknown_reference_is_refused_with_its_pointer(
    client: httpx2.AsyncClient, field: str, value: object
) -> None:
    ticket = await open_ticket(client)
    for response in (
        await client.post("/tickets", json=a_ticket(**{field: value})),
        await client.patch(f"/tickets/{ticket['id']}", json={field: value}),
    ):
        assert response.status_code == 422
        (error,) = response.json()["errors"]
        assert error["pointer"] == f"#/{field}"


async def test_a_requester_is_no_assignee(
    service: GuardedService, agent: dict[str, str], alice: dict[str, str]
) -> None:
    assert alice
    created = await service.client.post("/tickets", json=a_ticket(), headers=agent)
    path = f"/tickets/{created.json()['id']}"
    assert (await service.client.patch(path, json={"assignee_id": "key:alice"}, headers=agent)).status_code == 422
    assigned = await service.client.patch(path, json={"assignee_id": "key:crm"}, headers=agent)
    assert (assigned.status_code, assigned.json()["assignee_id"]) == (200, "key:crm")


async def test_priority_is_normal_until_it_is_set(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    assert ticket["priority"] == "normal"
    urgent = await client.patch(f"/tickets/{ticket['id']}", json={"priority": "urgent"})
    assert urgent.json()["priority"] == "urgent"
    assert (await client.patch(f"/tickets/{ticket['id']}", json={"priority": "huge"})).status_code == 422
    assert (await open_ticket(client, priority="high"))["priority"] == "high"


WORKING_FIELDS: list[JSON] = [
    {"priority": "high"},
    {"assignee_id": None},
    {"group_id": None},
    {"tags": ["x"]},
]


@pytest.mark.parametrize("fields", WORKING_FIELDS, ids=str)
async def test_a_requester_does_not_set_what_agents_work_with(
    service: GuardedService, alice: dict[str, str], fields: JSON
) -> None:
    refused = await service.client.post("/tickets", json=a_ticket(email=ALICE, **fields), headers=alice)
    assert refused.status_code == 403
    created = await service.client.post("/tickets", json=a_ticket(email=ALICE), headers=alice)
    path = f"/tickets/{created.json()['id']}"
    assert (await service.client.patch(path, json=fields, headers=alice)).status_code == 403
    for method, action in (("POST", "take"), ("POST", "release"), ("PUT", "tags/x"), ("DELETE", "tags/x")):
        response = await service.client.request(method, f"{path}/{action}", headers=alice)
        assert response.status_code == 403


async def test_a_requester_does_not_see_what_agents_work_with(
    service: GuardedService, agent: dict[str, str], alice: dict[str, str]
) -> None:
    fields = {"priority": "high", "tags": ["vip"], "assignee_id": "key:crm", "source": "shop"}
    new = a_ticket(email=ALICE, external_id=secrets.token_hex(4), **fields)
    created = (await service.client.post("/tickets", json=new, headers=agent)).json()
    assert {name: created[name] for name in fields} == fields
    path = f"/tickets/{created['id']}"
    hidden = {"tags", "assignee_id", "group_id", "source", "external_id", "note_count", "merged", "links"}
    for response in (
        await service.client.get(path, headers=alice),
        await service.client.get(path, headers=alice),
        await service.client.get(path, headers=alice | {"Cache-Control": "no-cache"}),
        await service.client.patch(path, json={"subject": "mine"}, headers=alice),
        await service.client.get("/tickets?limit=1", headers=alice),
    ):
        found = response.json()
        ticket = found["items"][0] if "items" in found else found
        assert ticket["priority"] == "high"
        assert not hidden & ticket.keys()
    history = (await service.client.get(f"{path}/history", headers=alice)).json()["items"]
    assert history[0]["data"] == {"priority": {"from": None, "to": "high"}}
