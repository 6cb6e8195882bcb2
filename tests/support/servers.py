"""Embedded servers that run during a block."""

import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from core.settings import async_dsn
from db.embedded import EmbeddedPostgres, EmbeddedValkey
from db.postgres.migrations import migrate

SPARE_CLUSTERS: Final = 2


class FastPostgres(EmbeddedPostgres):
    """A server that does not wait for the disk. It keeps its promises as long as the machine does not crash."""

    def _create(self) -> None:
        super()._create()
        with (self._data / "postgresql.auto.conf").open("a") as options:
            options.write("fsync = off\nfull_page_writes = off\n")


Server = TypeVar("Server", bound=EmbeddedPostgres | EmbeddedValkey)
Cluster = TypeVar("Cluster", bound=EmbeddedValkey)


@contextmanager
def running_server(server: Server) -> Iterator[Server]:
    """Start a server, yield it when it is ready, and stop it."""
    try:
        server.start()
        if isinstance(server, EmbeddedValkey):
            server.wait_until_formed()
        yield server
    finally:
        server.stop()


@contextmanager
def clusters_started_ahead(create: Callable[[], Cluster]) -> Iterator[Callable[[], Cluster]]:
    """Yield a function that returns a formed cluster, which its caller stops.

    The next clusters are already started then. They form, which takes two seconds, while the caller uses the first one.
    """
    spares: deque[Cluster] = deque()

    def start_one() -> None:
        spares.append(create())
        spares[-1].start()

    def take() -> Cluster:
        start_one()
        spares[0].wait_until_formed()
        return spares.popleft()

    try:
        for _ in range(SPARE_CLUSTERS):
            start_one()
        yield take
    finally:
        for spare in spares:
            spare.stop()


@contextmanager
def servers_folder(prefix: str) -> Iterator[Path]:
    """Yield a temporary folder. Under root the servers run as an unprivileged user, who has to pass through it."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def migrated_servers(folder: Path) -> Iterator[tuple[EmbeddedPostgres, EmbeddedValkey]]:
    """Yield a PostgreSQL with the current schema and a Valkey cluster of three nodes."""
    with (
        running_server(EmbeddedPostgres(folder / "postgres")) as postgres,
        running_server(EmbeddedValkey(folder / "valkey", nodes=3)) as valkey,
    ):
        migrate(async_dsn(postgres.dsn))
        yield postgres, valkey
