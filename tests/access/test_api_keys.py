"""API keys: their format, authentication with them, rotation, expiry and revocation."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from access.conftest import GuardedService
from core.errors import DatabaseUnavailable, KeyNotCreated
from models import Role
from services.access import api_key_cache
from services.access.api_key_format import Key, new_key, parse_key
from support.factories import a_ticket

# A valid format, and the same in every process that collects these tests.
UNKNOWN_KEY = Key("0" * 8, "0" * 43)


def test_a_key_has_256_random_bits_and_is_parsed_from_its_text() -> None:
    keys = {new_key() for _ in range(1000)}
    assert len({key.secret for key in keys}) == 1000
    for key in keys:
        assert parse_key(str(key)) == key
        assert key.secret not in repr(key)


def test_a_mistyped_key_is_not_parsed() -> None:
    key = str(new_key())
    assert parse_key(key) is not None
    for index in range(len(key)):
        wrong = "x" if key[index] != "x" else "y"
        assert parse_key(key[:index] + wrong + key[index + 1 :]) is None
    for text in ("", key[:-1], f"{key}x", f" {key}", key.upper(), f"{key}\n"):
        assert parse_key(text) is None


async def test_an_agent_key_authenticates_and_is_the_actor_in_the_history(
    service: GuardedService, agent: dict[str, str]
) -> None:
    created = await service.client.post("/tickets", json=a_ticket(), headers=agent)
    assert created.status_code == 201, created.text
    history = await service.client.get(f"/tickets/{created.json()['id']}/history", headers=agent)
    assert [event["actor"] for event in history.json()["items"]] == ["key:crm"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/tickets", 401),
        ("/tickets/1", 401),
        ("/tickets/nonsense", 401),
        ("/workflow", 401),
        ("/metrics", 401),
        ("/nothing", 401),
        ("/docsx", 401),
        ("/%2Flivez", 401),
        ("/livez", 200),
        ("/readyz", 200),
        ("/docs", 200),
        ("/openapi.json", 200),
        ("/problems", 200),
        ("/problems/unauthenticated", 200),
    ],
)
async def test_without_credentials_only_public_paths_respond(
    service: GuardedService,
    agent: dict[str, str],  # noqa: ARG001 - a key must exist
    path: str,
    status: int,
) -> None:
    response = await service.client.get(path)
    assert response.status_code == status
    if status == 401:
        assert response.json()["type"] == "/problems/unauthenticated"
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="tickets"'


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        "Basic dXNlcjpwYXNz",
        f"Bearer {UNKNOWN_KEY}",
        "Bearer tk_\x80",
        "Bearer " + "x" * 5000,
        "Bearer eyJhbGciOiJub25lIn0.e30.",
    ],
)
async def test_bad_credentials_are_refused_as_an_invalid_token(
    service: GuardedService, agent: dict[str, str], sent: str
) -> None:
    response = await service.client.get("/tickets", headers=[(b"Authorization", sent.encode("latin-1"))])
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
    credentials = sent.partition(" ")[2].strip()
    assert not credentials or credentials not in response.text + str(response.headers)
    both = [("Authorization", agent["Authorization"]), ("Authorization", agent["Authorization"])]
    assert (await service.client.get("/tickets", headers=both)).status_code == 401


async def test_the_id_of_a_key_with_another_secret_is_refused(service: GuardedService) -> None:
    key, _ = await service.keys.create("half-known", Role.AGENT)
    forged = Key(key.id, new_key().secret)
    response = await service.client.get("/tickets", headers={"Authorization": f"Bearer {forged}"})
    assert response.status_code == 401


async def test_the_secret_is_not_stored(service: GuardedService) -> None:
    key, record = await service.keys.create("stored", Role.AGENT)
    assert key.secret not in repr(record)
    assert all(key.secret.encode() not in stored.secret_hash for stored in await service.keys.list())


async def test_an_expired_key_is_refused(service: GuardedService) -> None:
    key, _ = await service.keys.create("brief", Role.AGENT, expires_at=datetime.now(UTC) + timedelta(seconds=0.5))
    headers = {"Authorization": f"Bearer {key}"}
    assert (await service.client.get("/tickets", headers=headers)).status_code == 200
    await asyncio.sleep(0.6)
    assert (await service.client.get("/tickets", headers=headers)).status_code == 401


async def test_a_revoked_key_is_refused_within_ten_seconds(
    service: GuardedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert api_key_cache.FRESH_FOR_S < api_key_cache.TRUSTED_FOR_S < 10
    monkeypatch.setattr(api_key_cache, "FRESH_FOR_S", 0.2)
    key, _ = await service.keys.create("stolen", Role.AGENT)
    headers = {"Authorization": f"Bearer {key}"}
    assert (await service.client.get("/tickets", headers=headers)).status_code == 200
    await service.keys.revoke(key.id)
    async with asyncio.timeout(5):
        while (await service.client.get("/tickets", headers=headers)).status_code != 401:
            await asyncio.sleep(0.02)


async def test_two_keys_of_a_name_are_one_principal_and_a_third_is_refused(service: GuardedService) -> None:
    first, record = await service.keys.create("rotating", Role.AGENT)
    _, second = await service.keys.create("rotating", Role.AGENT)
    assert record.principal == second.principal
    with pytest.raises(KeyNotCreated):
        await service.keys.create("rotating", Role.AGENT)
    await service.keys.revoke(first.id)
    await service.keys.create("rotating", Role.AGENT)


async def test_concurrent_creation_makes_at_most_two_keys_of_a_name(service: GuardedService) -> None:
    results = await asyncio.gather(*(service.keys.create("rush", Role.AGENT) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(result, KeyNotCreated) for result in results) == 6


async def test_a_second_key_of_a_name_cannot_have_another_role_or_address(service: GuardedService) -> None:
    await service.keys.create("bob", Role.REQUESTER, "bob@example.com")
    for role, email in ((Role.AGENT, None), (Role.REQUESTER, "alice@example.com")):
        with pytest.raises(KeyNotCreated):
            await service.keys.create("bob", role, email)
    for record in await service.keys.list():
        await service.keys.revoke(record.id) if record.name == "bob" else None
    with pytest.raises(KeyNotCreated):
        await service.keys.create("bob", Role.AGENT)


async def test_unknown_keys_are_looked_up_by_one_query_at_a_time(service: GuardedService) -> None:
    cache, highest, running, queries = service.app.state.api_key_cache, 0, 0, 0
    original = cache._keys.find_all  # noqa: SLF001 - the queries in progress are not observable otherwise

    async def find_all(key_ids: list[str]) -> object:
        nonlocal highest, running, queries
        running, queries = running + 1, queries + 1
        highest = max(highest, running)
        try:
            return await original(key_ids)
        finally:
            running -= 1

    cache._keys.find_all = find_all  # noqa: SLF001 - as above
    try:
        headers = [{"Authorization": f"Bearer {new_key()}"} for _ in range(50)]
        responses = await asyncio.gather(*(service.client.get("/tickets", headers=each) for each in headers))
    finally:
        cache._keys.find_all = original  # noqa: SLF001 - as above
    assert {response.status_code for response in responses} == {401}
    assert highest == 1
    assert queries < 25


async def test_while_postgresql_is_unavailable_only_a_cached_monitor_key_works(
    service: GuardedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor, agent = (
        await service.headers_for("scraper", Role.MONITOR),
        await service.headers_for("worker", Role.AGENT),
    )
    assert (await service.client.get("/metrics", headers=monitor)).status_code == 200
    assert (await service.client.get("/tickets", headers=agent)).status_code == 200
    monkeypatch.setattr(api_key_cache, "FRESH_FOR_S", 0)

    async def fail(_key_ids: list[str]) -> None:
        raise DatabaseUnavailable("unavailable")

    monkeypatch.setattr(service.app.state.api_key_cache._keys, "find_all", fail)  # noqa: SLF001 - simulates an outage
    assert (await service.client.get("/metrics", headers=monitor)).status_code == 200
    assert (await service.client.get("/tickets", headers=agent)).status_code == 503


async def test_the_last_use_of_a_key_is_recorded(service: GuardedService) -> None:
    key, record = await service.keys.create("used", Role.AGENT)
    assert record.last_used_at is None
    await service.client.get("/tickets", headers={"Authorization": f"Bearer {key}"})
    await service.app.state.api_key_cache.flush_uses()
    stored_record = await service.keys.find(key.id)
    assert stored_record is not None
    assert stored_record.last_used_at is not None


async def test_a_monitor_reads_metrics_and_no_ticket(service: GuardedService) -> None:
    monitor = await service.headers_for("prometheus", Role.MONITOR)
    for path in ("/tickets", "/tickets/1", "/workflow"):
        response = await service.client.get(path, headers=monitor)
        assert (response.status_code, response.json()["type"]) == (403, "/problems/forbidden")
    assert (await service.client.get("/metrics", headers=monitor)).status_code in {200, 404}
