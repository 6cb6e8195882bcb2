"""Real servers for every test: PostgreSQL and a three-node cluster, started here unless the environment names some."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI

from core.settings import Settings
from db.embedded import EmbeddedPostgres, EmbeddedValkey
from support.factories import migrate_to_head, new_database, running, settings_for


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder for servers; pytest's own is closed to the unprivileged user that they run as under root."""
    folder = Path(tempfile.mkdtemp(prefix="tickets-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_dsn(server_folder: Path) -> Iterator[str]:
    """The address of a real server, postgresql://…; the tests make a database of their own there."""
    with ExitStack() as stack:
        dsn = os.environ.get("DATABASE_DSN")
        if not dsn:
            postgres = EmbeddedPostgres(server_folder / "postgres")
            stack.callback(postgres.stop)
            postgres.start()
            dsn = postgres.dsn
        yield dsn.replace("+asyncpg", "")


@pytest.fixture(scope="session")
def redis_address(server_folder: Path) -> Iterator[tuple[str, int]]:
    """Host and port of a node of a real cluster."""
    with ExitStack() as stack:
        host, port = os.environ.get("REDIS_HOST"), int(os.environ.get("REDIS_PORT") or 6379)
        if not host:
            valkey = EmbeddedValkey(server_folder / "valkey", nodes=3)
            stack.callback(valkey.stop)
            valkey.start()
            valkey.wait_until_formed()
            host, port = "127.0.0.1", valkey.port
        yield host, port


@pytest.fixture(scope="session")
async def database_dsn(postgres_dsn: str) -> AsyncIterator[str]:
    """A database of our own, brought to the current schema by the real migrations."""
    async with new_database(postgres_dsn) as dsn:
        await migrate_to_head(dsn)
        yield dsn


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
    """A hand on the database that does not go through the service."""
    connection = await asyncpg.connect(database_dsn)
    yield connection
    await connection.close()
