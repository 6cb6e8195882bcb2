"""Real servers that fail and return."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import httpx2
import pytest

from db.embedded import EmbeddedPostgres, EmbeddedValkey
from support.factories import a_comment, a_ticket, migrate_to_head, open_ticket, running, settings_for
from support.servers import running_server


@pytest.fixture(scope="module")
def postgres(server_folder: Path) -> Iterator[EmbeddedPostgres]:
    """A server that every test leaves running."""
    with running_server(EmbeddedPostgres(server_folder / "failing-postgres")) as postgres:
        yield postgres


@pytest.fixture(scope="module")
def valkey(server_folder: Path) -> Iterator[EmbeddedValkey]:
    """A node that every test leaves running."""
    with running_server(EmbeddedValkey(server_folder / "failing-valkey")) as valkey:
        yield valkey


@pytest.fixture
async def client(postgres: EmbeddedPostgres, valkey: EmbeddedValkey) -> AsyncIterator[httpx2.AsyncClient]:
    await migrate_to_head(postgres.dsn)
    async with running(settings_for(postgres.dsn, "127.0.0.1", valkey.port)) as (_, client):
        yield client


async def test_without_postgresql_requests_get_503_until_it_returns(
    client: httpx2.AsyncClient, postgres: EmbeddedPostgres
) -> None:
    cached, other = await open_ticket(client), await open_ticket(client)
    await client.get(f"/tickets/{cached['id']}")
    postgres.kill()

    for method, path, body in (
        ("GET", f"/tickets/{other['id']}", None),
        ("GET", "/tickets", None),
        ("POST", "/tickets", a_ticket()),
        ("PATCH", f"/tickets/{other['id']}", {"status": "closed"}),
        ("POST", f"/tickets/{other['id']}/comments", a_comment()),
    ):
        response = await client.request(method, path, json=body)
        assert (response.status_code, response.json()["type"]) == (503, "/problems/database-unavailable"), (
            method,
            path,
        )
        assert int(response.headers["Retry-After"]) > 0
    assert (await client.get(f"/tickets/{cached['id']}")).status_code == 200
    readiness = await client.get("/readyz")
    assert (readiness.status_code, readiness.json()["database"]) == (503, "unavailable")
    assert (await client.get("/livez")).status_code == 200

    postgres.start()
    await eventually_ready(client)
    assert (await client.get(f"/tickets/{other['id']}")).json()["id"] == other["id"]
    assert (await client.patch(f"/tickets/{other['id']}", json={"status": "closed"})).status_code == 200


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
async def test_without_redis_every_request_succeeds(
    client: httpx2.AsyncClient, valkey: EmbeddedValkey, fault: signal.Signals
) -> None:
    ticket = await open_ticket(client)
    path = f"/tickets/{ticket['id']}"
    await client.get(path)
    (node,) = valkey.nodes
    node.signal(fault)
    try:
        response = await client.get(path)
        assert (response.status_code, response.headers["Cache-Status"]) == (200, "tickets; fwd=bypass")
        assert (await client.post(f"{path}/comments", json=a_comment(status="answered"))).status_code == 201
        assert (await client.patch(path, json={"status": "closed"})).status_code == 200
        assert (await client.get(path)).json()["status"] == "closed"
        readiness = await client.get("/readyz")
        assert (readiness.status_code, readiness.json()["cache"]) == (200, "unavailable")
    finally:
        if fault is signal.SIGKILL:
            valkey.start()
            valkey.wait_until_formed()
        else:
            node.signal(signal.SIGCONT)
    async with asyncio.timeout(15):
        while (await client.get(path)).headers["Cache-Status"] != "tickets; hit":
            await asyncio.sleep(0.05)
    assert (await client.get(path)).json()["status"] == "closed"


async def test_a_connection_lost_during_the_commit_leaves_an_unknown_outcome(
    client: httpx2.AsyncClient, postgres: EmbeddedPostgres
) -> None:
    connection = await asyncpg.connect(postgres.dsn)
    # A trigger that fires at the commit and ends its own session there, as a lost connection does.
    await connection.execute("""
        CREATE FUNCTION end_session() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER end_session AFTER INSERT ON tickets DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION end_session();
    """)
    try:
        response = await client.post("/tickets", json=a_ticket())
        assert (response.status_code, response.json()["type"]) == (503, "/problems/outcome-unknown")
        assert int(response.headers["Retry-After"]) > 0
    finally:
        await connection.execute("DROP TRIGGER end_session ON tickets; DROP FUNCTION end_session()")
        await connection.close()
    await open_ticket(client)


async def eventually_ready(client: httpx2.AsyncClient) -> None:
    async with asyncio.timeout(15):
        while (await client.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.05)
