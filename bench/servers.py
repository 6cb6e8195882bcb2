"""The servers of the benchmark, on the loopback address: started here, and stopped at the end."""

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from signal import SIGTERM
from typing import Final, Self

import asyncpg
import psutil

from bench.preload import Report, lengthen, preload
from bench.server import TIMEOUT_S, Server
from core.settings import ROOT, async_dsn
from db.embedded import EmbeddedPostgres, EmbeddedValkey
from db.embedded.process import free_port, spawn, stop
from db.postgres.migrations import migrate

VALKEY_NODES: Final = 3
_PATHS: Final = {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}


class Servers(AbstractContextManager["Servers"]):
    """PostgreSQL, a Valkey cluster of three nodes, and any number of web servers.

    With `kept`, a folder, PostgreSQL's data is kept there. The logs are in `folder` until the end.
    """

    def __init__(self, kept: Path | None, report: Report) -> None:
        self._stack = ExitStack()
        self._kept, self._report = kept, report
        self._copies = 0
        self.folder: Path = Path()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = Path(tempfile.mkdtemp(prefix="tickets-bench-"))
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self.folder.chmod(0o711)  # the servers may run as another user and must reach their own folders
            self.valkey = EmbeddedValkey(self.folder / "valkey", nodes=VALKEY_NODES)
            stack.callback(self.valkey.stop)
            self.valkey.start()
            self.postgres = EmbeddedPostgres((self._kept or self.folder) / "postgres")
            stack.callback(self.postgres.stop)
            self.postgres.start()
            self.valkey.wait_until_formed()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._report("stopping all servers")
        self._stack.close()

    def database(self, tickets: int, *, is_kept: bool) -> str:
        """Return the address of a database with this many tickets; with `is_kept`, reuse that of an earlier run."""
        name = f"bench_{tickets}"
        dsn, unfinished = self._dsn(name), self._dsn(f"{name}_new")
        if is_kept and asyncio.run(self._exists(name)):
            self._report(f"{tickets:,} tickets exist from an earlier run")
            return dsn
        self._report(f"preloading {tickets:,} tickets")
        for old in (name, f"{name}_new"):
            self._execute(f"DROP DATABASE IF EXISTS {old} WITH (FORCE)")
        self._execute(f"CREATE DATABASE {name}_new")
        migrate(async_dsn(unfinished))
        asyncio.run(preload(unfinished, tickets, self._report))
        self._execute(f"ALTER DATABASE {name}_new RENAME TO {name}")
        return dsn

    def lengthen(self, dsn: str, ticket_ids: Sequence[int], comments: int) -> None:
        """Add so many comments to each of these tickets of a database."""
        self._report(f"adding {comments:,} comments to {len(ticket_ids)} tickets")
        asyncio.run(lengthen(dsn, ticket_ids, comments))

    @contextmanager
    def copied(self, dsn: str) -> Iterator[str]:
        """Yield the address of a copy of a database that nothing is connected to; the copy is dropped at the end."""
        self._copies += 1  # each name is used once: it is also the prefix of the keys in the cache
        name = dsn.rpartition("/")[2]
        copy = f"{name}_{self._copies}"
        self._execute(f"CREATE DATABASE {copy} TEMPLATE {name} STRATEGY file_copy")
        try:
            yield self._dsn(copy)
        finally:
            self._execute(f"DROP DATABASE {copy} WITH (FORCE)")

    def service(self, dsn: str, *, has_key: bool = True, role: str = "agent", **settings: str) -> Server:
        """Start the service as in production, with logs in a file; does not wait until it is ready.

        Its key has the role; its pages are opened by the session of an agent.
        """
        port = free_port()
        environment = {
            "DATABASE_DSN": dsn,
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(self.valkey.port),
            "REDIS_PREFIX": f"{dsn.rpartition('/')[2]}:",
            "PORT": str(port),
            "DATA_DIR": str(self.folder / "data"),
        } | settings
        key = self._new_key(environment, role) if has_key else None
        session = asyncio.run(_new_session(dsn)) if has_key else None
        database = psutil.Process(self.postgres.pid)
        return Server("the service", self._spawn([ROOT / "src/serve.py"], environment), port, key, database, session)

    def comparison(self, app: str, *, is_factory: bool = False) -> Server:
        """Start an application that the service is compared with."""
        port = free_port()
        options = ["--http", "httptools", "--loop", "uvloop", "--no-access-log", "--no-server-header"]
        arguments = ["-m", "uvicorn", app, "--port", port, *options, *(["--factory"] if is_factory else [])]
        return Server(app, self._spawn(arguments, _PATHS), port, None, None)

    def program(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a module of the benchmark as a process of its own."""
        return self._spawn(["-m", module, *arguments], _PATHS)

    def embedded(self, data: Path) -> Server:
        """Start the service with embedded servers; does not wait until it is ready."""
        port = free_port()
        environment = {"PORT": str(port), "DATA_DIR": str(data)}
        return Server("the service", self._spawn([ROOT / "src/serve.py"], environment), port, None, None)

    def flush_cache(self) -> None:
        """Empty the Valkey nodes."""
        for node in self.valkey.nodes:
            with node.client() as client:
                client.flushall()

    def _spawn(self, arguments: list[object], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        log = self.folder / f"server-{len(list(self.folder.iterdir()))}.log"
        # `env -i` removes the settings of this terminal; it execs the command, so the process still ends with this one.
        clean = ["env", "-i", f"PATH={os.environ['PATH']}", f"ENV_FILE={os.devnull}", "LOG_FORMAT=json"]
        assigned = [f"{name}={value}" for name, value in environment.items()]
        process = spawn([*clean, *assigned, sys.executable, *map(str, arguments)], log=log)
        self._stack.callback(stop, process, with_signal=SIGTERM, timeout_s=TIMEOUT_S)
        return process

    def _new_key(self, environment: dict[str, str], role: str) -> str:
        name = f"bench-{secrets.token_hex(4)}"
        create = ["create", "--name", name, "--role", role, "--expires-in-days", "1"]
        command = [sys.executable, str(ROOT / "src/keys.py"), *create]
        environment = environment | {"PATH": os.environ["PATH"], "ENV_FILE": os.devnull}
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()

    def _dsn(self, name: str) -> str:
        return f"{self.postgres.dsn.rpartition('/')[0]}/{name}"

    def _execute(self, statement: str) -> None:
        asyncio.run(_execute_on(self.postgres.dsn, statement))

    async def _exists(self, name: str) -> bool:
        connection = await asyncpg.connect(self.postgres.dsn)
        try:
            return await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name) is True
        finally:
            await connection.close()


async def _execute_on(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _new_session(dsn: str) -> str:
    """Insert an agent with a session, and return its token."""
    token = secrets.token_urlsafe(32)
    connection = await asyncpg.connect(dsn.replace("+asyncpg", ""))
    try:
        person = f"person:bench-{secrets.token_hex(4)}"
        await connection.execute(
            "INSERT INTO principals (id, kind, name, role) VALUES ($1, 'person', 'Bench', 'agent')", person
        )
        await connection.execute(
            "INSERT INTO person_sessions (token_hash, person_id, method, user_agent, address, expires_at)"
            " VALUES (sha256($1), $2, 'password', 'wrk', '127.0.0.1', now() + interval '1 day')",
            token.encode(),
            person,
        )
    finally:
        await connection.close()
    return token
