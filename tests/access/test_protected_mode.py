"""A service without keys and without an issuer accepts requests from this machine only."""

import subprocess
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from core.settings import Settings
from support.api_calls import a_person
from support.factories import NewDatabase, running, settings_for
from support.service_process import ServiceProcess, clean_environment, keys_command


@pytest.fixture
async def fresh_settings(migrated_database: NewDatabase, redis_address: tuple[str, int]) -> AsyncIterator[Settings]:
    async with migrated_database() as dsn:
        yield settings_for(dsn, *redis_address, allow_anonymous=False)


def client_of(app: FastAPI, address: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=address)


async def test_an_unprotected_service_accepts_only_this_machine(fresh_settings: Settings) -> None:
    async with running(fresh_settings) as (app, _):
        for address in ("http://localhost:8000", "http://127.0.0.1", "http://[::1]:8000", "http://LOCALHOST"):
            async with client_of(app, address) as client:
                assert (await client.get("/tickets")).status_code == 200, address
        for name in (
            "evil.example",
            "evil.example:8000",
            "127.0.0.1.evil.example",
            "[::1",
            "",
            "10.0.0.7",
        ):
            async with client_of(app, "http://127.0.0.1") as client:
                response = await client.get("/tickets", headers={"Host": name})
                assert (response.status_code, response.json()["type"]) == (421, "/problems/host-not-allowed"), name
        # The client address that uvicorn sets from X-Forwarded-For of a proxy on this machine.
        forwarded = httpx2.ASGITransport(app=app, client=("203.0.113.9", 0))
        async with httpx2.AsyncClient(transport=forwarded, base_url="http://127.0.0.1") as client:
            assert (await client.get("/tickets")).status_code == 421
        async with client_of(app, "http://10.0.0.7") as client:
            assert (await client.get("/tickets", headers={"Host": "localhost"})).status_code == 421
            assert (await client.get("/livez")).status_code == 200


async def test_an_unprotected_service_lets_this_machine_set_it_up(fresh_settings: Settings) -> None:
    async with running(fresh_settings) as (app, _), client_of(app, "http://localhost") as client:
        me = (await client.get("/me")).json()
        assert (me["id"], me["kind"], me["role"], me["scopes"]) == ("anonymous", "system", "admin", None)
        person = await client.post("/people", json=a_person(role="admin"))
        assert person.status_code == 201
        key = await client.post("/keys", json={"principal_id": person.json()["id"]})
        headers = {"Authorization": f"Bearer {key.json()['secret']}"}
        assert (await client.get("/me", headers=headers)).json()["role"] == "admin"


async def test_with_allow_anonymous_a_caller_without_credentials_is_an_agent(
    client: httpx2.AsyncClient,
) -> None:
    assert (await client.get("/me")).json()["role"] == "agent"
    assert (await client.post("/people", json=a_person())).status_code == 403


async def test_from_the_first_key_on_credentials_are_required(
    fresh_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.access.api_key_cache.FRESH_FOR_S", 0)
    async with running(fresh_settings) as (app, _), client_of(app, "http://localhost") as client:
        assert (await client.get("/tickets")).status_code == 200
        assert fresh_settings.database_dsn is not None
        dsn = fresh_settings.database_dsn.get_secret_value()
        key = keys(dsn, "create", "--name", "crm", "--role", "agent").stdout.strip()
        assert (await client.get("/tickets")).status_code == 401
        headers = {"Authorization": f"Bearer {key}"}
        assert (await client.get("/tickets", headers=headers)).status_code == 200
        assert keys(dsn, "revoke", key.split("_")[1]).returncode == 0
        for sent in ({}, headers):
            assert (await client.get("/tickets", headers=sent)).status_code == 401


async def test_with_allow_anonymous_bad_credentials_are_still_refused(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/tickets")).status_code == 200
    assert (await client.get("/tickets", headers={"Authorization": "Bearer nonsense"})).status_code == 401


async def test_an_unprotected_service_on_the_network_serves_the_set_up_only(
    fresh_settings: Settings, tmp_path: Path
) -> None:
    async with ServiceProcess(tmp_path / "log", fresh_settings, HOST="0.0.0.0") as service:  # noqa: S104 - tested
        assert "HOST=0.0.0.0, and neither an admin nor an API key exists" in service.log
        network = {"Host": "desk.example.com"}
        for path, expected in {"/tickets": 421, "/desk": 421, "/my": 421, "/metrics": 421, "/set-up": 200}.items():
            assert service.request("GET", path, headers=network).status == expected, path
        assert service.request("POST", "/tickets", {}, headers=network).status == 421
        key = service.create_admin_key()
    async with service:
        assert service.log.count("neither an admin nor an API key exists") == 1
        assert service.request("GET", "/tickets", headers=network).status == 401
        assert service.request("GET", "/tickets", headers=network | {"Authorization": f"Bearer {key}"}).status == 200


async def test_the_keys_command_creates_lists_and_revokes(fresh_settings: Settings) -> None:
    assert fresh_settings.database_dsn is not None
    dsn = fresh_settings.database_dsn.get_secret_value()
    made = keys(dsn, "create", "--name", "alice", "--role", "requester", "--email", "alice@EXAMPLE.com")
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    assert key.startswith("tk_")
    listed = keys(dsn, "list").stdout
    assert "alice (requester alice@example.com)" in listed
    assert key not in listed
    revoked = keys(dsn, "revoke", key.split("_")[1])
    assert "revoked" in revoked.stdout
    boss = keys(dsn, "create", "--name", "boss", "--role", "admin", "--scopes", "admin, read")
    assert "boss (admin, restricted to read admin)" in boss.stderr
    wrong = (
        ("create", "--name", "x", "--role", "requester"),
        ("create", "--name", "x", "--role", "agent", "--email", "a@example.com"),
        ("create", "--name", "x", "--role", "king"),
        ("create", "--name", "x", "--role", "agent", "--scopes", "king"),
        ("create", "--name", "", "--role", "agent"),
        ("create", "--name", "x", "--role", "requester", "--email", "nonsense"),
        ("revoke", "nothing"),
        (),
    )
    with ThreadPoolExecutor(max_workers=4) as pool:
        for refused in pool.map(lambda arguments: keys(dsn, *arguments), wrong):
            assert refused.returncode != 0
            assert "Traceback" not in refused.stderr


def keys(dsn: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return keys_command(clean_environment(DATABASE_DSN=dsn.replace("+asyncpg", "")), *arguments)
