"""A PostgreSQL that follows another one, as a second machine would, and that can take its place."""

import shutil
from pathlib import Path

from db.embedded import EmbeddedPostgres
from db.embedded.privileges import unprivileged_user


class Standby(EmbeddedPostgres):
    """Has everything that the primary acknowledged, if the primary waits for it: see `wait_for_standby`."""

    def __init__(self, folder: Path, primary: EmbeddedPostgres) -> None:
        super().__init__(folder)
        self._primary = primary

    def promote(self) -> None:
        """Return when it takes writes."""
        self._run("pg_ctl", "promote", "--wait", "-D", self._data)

    def _create(self) -> None:
        shutil.copy(self._primary.password, self.password)
        if (guest := unprivileged_user()) is not None:
            shutil.chown(self.password, guest)
        address = self._primary.dsn.rpartition("/")[0]
        self._run("pg_basebackup", "-D", self._data, "-d", address, "-X", "stream", "-c", "fast", "-R")
