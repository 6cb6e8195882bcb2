"""Participants: they see a ticket and comment on it, and do nothing else."""

import asyncio
import secrets

import pytest

from access.conftest import ALICE, MALLORY, GuardedService
from support.factories import a_comment, a_ticket


@pytest.fixture
async def path(service: GuardedService, alice: dict[str, str]) -> str:
    """The path of a ticket of Alice."""
    created = await service.client.post("/tickets", json=a_ticket(email=ALICE), headers=alice)
    return f"/tickets/{created.json()['id']}"


async def test_a_participant_sees_the_ticket_and_comments(
    service: GuardedService, alice: dict[str, str], mallory: dict[str, str], path: str
) -> None:
    assert (await service.client.get(path, headers=mallory)).status_code == 404
    added = await service.client.put(f"{path}/participants/{MALLORY}", headers=alice)
    assert (added.status_code, added.json()["participants"]) == (200, [MALLORY])
    for _ in range(2):
        shown = await service.client.get(path, headers=mallory)
        assert (shown.status_code, shown.json()["participants"]) == (200, [MALLORY])
    reply = a_comment(email=MALLORY)
    assert (await service.client.post(f"{path}/comments", json=reply, headers=mallory)).status_code == 201
    listed = (await service.client.get("/tickets", headers=mallory)).json()["items"]
    assert path.rpartition("/")[2] in {str(ticket["id"]) for ticket in listed}
    for method, target, body in (
        ("PATCH", path, {"subject": "mine"}),
        ("PATCH", path, {"status": "closed"}),
        ("PUT", f"{path}/participants/eve@example.com", None),
        ("DELETE", f"{path}/participants/{MALLORY}", None),
    ):
        refused = await service.client.request(method, target, json=body, headers=mallory)
        assert refused.status_code == 403, (method, target)
    removed = await service.client.delete(f"{path}/participants/{MALLORY.upper()}", headers=alice)
    assert (removed.status_code, removed.json()["participants"]) == (200, [])
    assert (await service.client.get(path, headers=mallory)).status_code == 404


async def test_the_spelling_of_an_address_does_not_matter(
    service: GuardedService, agent: dict[str, str], path: str
) -> None:
    first = await service.client.put(f"{path}/participants/Carol@Example.com", headers=agent)
    again = await service.client.put(f"{path}/participants/carol@example.com", headers=agent)
    assert first.json()["participants"] == again.json()["participants"] == ["Carol@example.com"]
    assert first.headers["ETag"] == again.headers["ETag"]


async def test_a_ticket_has_at_most_twenty_participants(
    service: GuardedService, agent: dict[str, str], path: str
) -> None:
    responses = await asyncio.gather(
        *(service.client.put(f"{path}/participants/p{number}@example.com", headers=agent) for number in range(21))
    )
    assert sorted(response.status_code for response in responses) == [200] * 20 + [409]


async def test_the_requester_is_no_participant(service: GuardedService, agent: dict[str, str], path: str) -> None:
    unchanged = await service.client.put(f"{path}/participants/{ALICE.upper()}", headers=agent)
    assert (unchanged.status_code, unchanged.json()["participants"], unchanged.json()["version"]) == (200, [], 1)


async def test_an_invalid_address_is_refused(service: GuardedService, agent: dict[str, str], path: str) -> None:
    refused = await service.client.put(f"{path}/participants/{secrets.token_hex(4)}", headers=agent)
    assert (refused.status_code, refused.json()["errors"][0]["parameter"]) == (422, "email")
