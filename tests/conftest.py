"""A real PostgreSQL and a real cluster of three nodes, started here unless the environment names others."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI
from playwright.async_api import Browser

from contract.browser import running_chromium
from core.settings import Settings
from db.embedded import EmbeddedValkey
from db.postgres import database
from support.factories import NewDatabase, migrate_to_head, new_database, running, settings_for
from support.servers import FastPostgres, running_server, servers_folder

# Folders with files whose tests take long. These begin first: otherwise the last one would run alone in the end.
LONG_FOLDERS = (
    "fuzz",
    "chaos",
    "desk",
    "contract",
    "automation",
    "sign_in",
    "models",
    "events",
    "operation",
    "hostile",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the files of LONG_FOLDERS begin first."""
    ranks = {folder: rank for rank, folder in enumerate(LONG_FOLDERS)}
    root = Path(__file__).parent
    items.sort(key=lambda item: ranks.get(item.path.relative_to(root).parts[0], len(ranks)))


# A busy test machine can stand still for longer than a request may wait for a connection.
PATIENT_POOL_TIMEOUT_S = 8


@pytest.fixture(scope="session", autouse=True)
def patient_pools() -> Iterator[None]:
    """Let the services of this process wait longer for a connection. Tests of an exhausted pool set it back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "POOL_TIMEOUT_S", PATIENT_POOL_TIMEOUT_S)
        yield


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder for servers. Under root they run as an unprivileged user, who can not enter pytest's own folders."""
    with servers_folder("tickets-test-") as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres_dsn(server_folder: Path) -> Iterator[str]:
    """The DSN of a server, postgresql://…, on which the tests create their databases."""
    with ExitStack() as stack:
        dsn = os.environ.get("DATABASE_DSN")
        if not dsn:
            dsn = stack.enter_context(running_server(FastPostgres(server_folder / "postgres"))).dsn
        yield dsn.replace("+asyncpg", "")


@pytest.fixture(scope="session")
def redis_address(server_folder: Path) -> Iterator[tuple[str, int]]:
    """The host and port of a node of a cluster."""
    with ExitStack() as stack:
        host, port = os.environ.get("REDIS_HOST"), int(os.environ.get("REDIS_PORT") or 6379)
        if not host:
            valkey = stack.enter_context(running_server(EmbeddedValkey(server_folder / "valkey", nodes=3)))
            host, port = "127.0.0.1", valkey.port
        yield host, port


@pytest.fixture(scope="session")
async def migrated_database(postgres_dsn: str) -> AsyncIterator[NewDatabase]:
    """Creates databases with the current schema: copies of one that the real migrations built."""
    async with new_database(postgres_dsn) as template:
        await migrate_to_head(template)
        name = urlsplit(template).path.removeprefix("/")
        yield lambda: new_database(postgres_dsn, template=name)


@pytest.fixture(scope="session")
async def database_dsn(migrated_database: NewDatabase) -> AsyncIterator[str]:
    """The database that tests share if they need no other."""
    async with migrated_database() as dsn:
        yield dsn


@pytest.fixture
async def own_database_dsn(migrated_database: NewDatabase) -> AsyncIterator[str]:
    """A database that no other test uses."""
    async with migrated_database() as dsn:
        yield dsn


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """A browser, in which each test opens a context of its own."""
    async with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def settings(database_dsn: str, redis_address: tuple[str, int]) -> Settings:
    return settings_for(database_dsn, *redis_address)


@pytest.fixture(scope="session")
async def application(settings: Settings) -> AsyncIterator[tuple[FastAPI, httpx2.AsyncClient]]:
    async with running(settings) as (app, client):
        yield app, client


@pytest.fixture(scope="session")
def app(application: tuple[FastAPI, httpx2.AsyncClient]) -> FastAPI:
    return application[0]


@pytest.fixture(scope="session")
def client(application: tuple[FastAPI, httpx2.AsyncClient]) -> httpx2.AsyncClient:
    return application[1]


@pytest.fixture
async def sql(database_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the shared database that bypasses the service."""
    connection = await asyncpg.connect(database_dsn)
    yield connection
    await connection.close()
