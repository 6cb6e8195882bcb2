"""Who has a key is let in, as whoever the key says, for as long as it lives."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from access.conftest import Door
from core.errors import DatabaseUnavailable
from models import Role
from services.access import api_key_cache
from services.access.api_key_format import Key, new_key, parse_key
from services.access.api_keys import KeyRefused
from support.factories import a_ticket

# Well formed, and the same in every process that collects these tests.
NOBODYS_KEY = Key("0" * 8, "0" * 43)


def test_a_key_has_256_random_bits_and_is_read_as_it_was_written() -> None:
    keys = {new_key() for _ in range(1000)}
    assert len({key.secret for key in keys}) == 1000
    for key in keys:
        assert parse_key(str(key)) == key
        assert key.secret not in repr(key)


def test_a_mistyped_key_is_no_key() -> None:
    key = str(new_key())
    assert parse_key(key) is not None
    for place in range(len(key)):
        wrong = "x" if key[place] != "x" else "y"
        assert parse_key(key[:place] + wrong + key[place + 1 :]) is None
    for text in ("", key[:-1], f"{key}x", f" {key}", key.upper(), f"{key}\n"):
        assert parse_key(text) is None


async def test_an_agent_is_let_in_and_named_in_the_history(door: Door, agent: dict[str, str]) -> None:
    created = await door.visitor.post("/tickets", json=a_ticket(), headers=agent)
    assert created.status_code == 201, created.text
    history = await door.visitor.get(f"/tickets/{created.json()['id']}/history", headers=agent)
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
        ("//livez", 401),
        ("/livez", 200),
        ("/readyz", 200),
        ("/docs", 200),
        ("/openapi.json", 200),
        ("/problems", 200),
        ("/problems/unauthenticated", 200),
    ],
)
async def test_who_brings_nothing_sees_what_is_open_to_all(
    door: Door,
    agent: dict[str, str],  # noqa: ARG001 - there is a key
    path: str,
    status: int,
) -> None:
    answer = await door.visitor.get(path)
    assert answer.status_code == status
    if status == 401:
        assert answer.json()["type"] == "/problems/unauthenticated"
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="tickets"'


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        "Basic dXNlcjpwYXNz",
        f"Bearer {NOBODYS_KEY}",
        "Bearer tk_\x80",
        "Bearer " + "x" * 5000,
        "Bearer eyJhbGciOiJub25lIn0.e30.",
    ],
)
async def test_bad_credentials_are_refused_and_told_so(door: Door, agent: dict[str, str], sent: str) -> None:
    answer = await door.visitor.get("/tickets", headers=[(b"Authorization", sent.encode("latin-1"))])
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    credentials = sent.partition(" ")[2].strip()
    assert not credentials or credentials not in answer.text + str(answer.headers)
    both = [("Authorization", agent["Authorization"]), ("Authorization", agent["Authorization"])]
    assert (await door.visitor.get("/tickets", headers=both)).status_code == 401


async def test_the_right_id_with_another_secret_is_refused(door: Door) -> None:
    key, _ = await door.keys.create("half-known", Role.AGENT)
    forged = Key(key.id, new_key().secret)
    answer = await door.visitor.get("/tickets", headers={"Authorization": f"Bearer {forged}"})
    assert answer.status_code == 401


async def test_the_secret_is_not_stored(door: Door) -> None:
    key, record = await door.keys.create("stored", Role.AGENT)
    assert key.secret not in repr(record)
    assert all(key.secret.encode() not in stored.secret_hash for stored in await door.keys.list())


async def test_an_expired_key_is_refused(door: Door) -> None:
    key, _ = await door.keys.create("brief", Role.AGENT, expires_at=datetime.now(UTC) + timedelta(seconds=0.5))
    headers = {"Authorization": f"Bearer {key}"}
    assert (await door.visitor.get("/tickets", headers=headers)).status_code == 200
    await asyncio.sleep(0.6)
    assert (await door.visitor.get("/tickets", headers=headers)).status_code == 401


async def test_a_revoked_key_is_refused_soon(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api_key_cache.FRESH_FOR_S < api_key_cache.TRUSTED_FOR_S < 10
    monkeypatch.setattr(api_key_cache, "FRESH_FOR_S", 0.2)
    key, _ = await door.keys.create("stolen", Role.AGENT)
    headers = {"Authorization": f"Bearer {key}"}
    assert (await door.visitor.get("/tickets", headers=headers)).status_code == 200
    await door.keys.revoke(key.id)
    async with asyncio.timeout(5):
        while (await door.visitor.get("/tickets", headers=headers)).status_code != 401:
            await asyncio.sleep(0.02)


async def test_two_keys_of_a_name_are_one_principal_and_a_third_is_refused(door: Door) -> None:
    first, record = await door.keys.create("rotating", Role.AGENT)
    _, second = await door.keys.create("rotating", Role.AGENT)
    assert record.principal == second.principal
    with pytest.raises(KeyRefused):
        await door.keys.create("rotating", Role.AGENT)
    await door.keys.revoke(first.id)
    await door.keys.create("rotating", Role.AGENT)


async def test_keys_made_at_once_are_no_more_than_two(door: Door) -> None:
    made = await asyncio.gather(*(door.keys.create("rush", Role.AGENT) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(outcome, KeyRefused) for outcome in made) == 6


async def test_a_second_key_is_no_way_to_another_role(door: Door) -> None:
    await door.keys.create("bob", Role.REQUESTER, "bob@example.com")
    for role, email in ((Role.AGENT, None), (Role.REQUESTER, "alice@example.com")):
        with pytest.raises(KeyRefused):
            await door.keys.create("bob", role, email)
    for record in await door.keys.list():
        await door.keys.revoke(record.id) if record.name == "bob" else None
    with pytest.raises(KeyRefused):
        await door.keys.create("bob", Role.AGENT)


async def test_made_up_keys_are_asked_for_one_or_two_at_a_time(door: Door) -> None:
    ring, most, now = door.app.state.api_key_cache, 0, 0
    ask = ring._keys.find  # noqa: SLF001 - what is under way is seen nowhere else

    async def find(key_id: str) -> object:
        nonlocal most, now
        now += 1
        most = max(most, now)
        try:
            return await ask(key_id)
        finally:
            now -= 1

    ring._keys.find = find  # noqa: SLF001 - as above
    try:
        headers = [{"Authorization": f"Bearer {new_key()}"} for _ in range(50)]
        answers = await asyncio.gather(*(door.visitor.get("/tickets", headers=each) for each in headers))
    finally:
        ring._keys.find = ask  # noqa: SLF001 - as above
    assert {answer.status_code for answer in answers} == {401}
    assert most <= api_key_cache.MAX_UNKNOWN_KEY_LOOKUPS


async def test_while_the_database_is_away_a_monitor_that_was_known_is_let_in(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor, agent = await door.let_in("scraper", Role.MONITOR), await door.let_in("worker", Role.AGENT)
    assert (await door.visitor.get("/metrics", headers=monitor)).status_code == 200
    assert (await door.visitor.get("/tickets", headers=agent)).status_code == 200
    monkeypatch.setattr(api_key_cache, "FRESH_FOR_S", 0)

    async def away(_key_id: str) -> None:
        raise DatabaseUnavailable("away")

    monkeypatch.setattr(door.app.state.api_key_cache._keys, "find", away)  # noqa: SLF001 - stands for a fault
    assert (await door.visitor.get("/metrics", headers=monitor)).status_code == 200
    assert (await door.visitor.get("/tickets", headers=agent)).status_code == 503


async def test_the_last_use_is_recorded(door: Door) -> None:
    key, record = await door.keys.create("used", Role.AGENT)
    assert record.last_used_at is None
    await door.visitor.get("/tickets", headers={"Authorization": f"Bearer {key}"})
    await door.app.state.api_key_cache.note()
    noted = await door.keys.find(key.id)
    assert noted is not None
    assert noted.last_used_at is not None


async def test_a_monitor_sees_no_ticket(door: Door) -> None:
    monitor = await door.let_in("prometheus", Role.MONITOR)
    for path in ("/tickets", "/tickets/1", "/workflow"):
        answer = await door.visitor.get(path, headers=monitor)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")
    assert (await door.visitor.get("/metrics", headers=monitor)).status_code in {200, 404}
