"""A PostgreSQL server that replicates another one and can be promoted."""

import shutil
from pathlib import Path

from db.embedded import EmbeddedPostgres
from db.embedded.privileges import unprivileged_user


class Standby(EmbeddedPostgres):
    """Has every write that the primary acknowledged, if replication is synchronous: see `wait_for_standby`."""

    def __init__(self, folder: Path, primary: EmbeddedPostgres) -> None:
        super().__init__(folder)
        self._primary = primary

    def promote(self) -> None:
        """Return when it accepts writes."""
        self._run("pg_ctl", "promote", "--wait", "-D", self._data)

    def _create(self) -> None:
        shutil.copy(self._primary.password, self.password)
        if (user := unprivileged_user()) is not None:
            shutil.chown(self.password, user)
        address = self._primary.dsn.rpartition("/")[0]
        self._run("pg_basebackup", "-D", self._data, "-d", address, "-X", "stream", "-c", "fast", "-R")
