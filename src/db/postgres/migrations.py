"""Migrates a database to the schema of this release, and checks whether it has that schema."""

from dataclasses import dataclass

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from core.settings import ROOT


@dataclass(frozen=True)
class Revisions:
    """The revisions that this release knows: `head`, which it requires, and the `earlier` ones."""

    head: str
    earlier: frozenset[str]

    def suffice(self, revision: str | None) -> bool:
        """Return whether this release can work with a database at `revision`.

        A newer release created a revision that this one does not know. Migrations only add, and the next release
        removes what a release no longer uses, so this release continues to work with that revision.
        """
        return revision is not None and revision not in self.earlier


def known_revisions() -> Revisions:
    """Return the revisions of this release, read from its migration files."""
    scripts = ScriptDirectory.from_config(_config())
    revisions = [script.revision for script in scripts.walk_revisions()]
    head = scripts.get_current_head()
    if head is None:
        raise LookupError("there are no migrations")
    return Revisions(head, frozenset(revisions) - {head})


def alembic_config(dsn: str, *, timeout_s: float = 60) -> Config:
    """Return Alembic's configuration for a database, `postgresql+asyncpg://…`.

    `timeout_s` is how long a migration retries to get locks that other sessions hold.
    """
    config = _config()
    config.attributes |= {"dsn": dsn, "timeout_s": timeout_s}
    return config


def migrate(dsn: str, *, timeout_s: float = 60) -> None:
    """Apply the missing migrations. Several processes may call this at once: one migrates, the others wait.

    A migration that does not get a lock at once retries for up to `timeout_s` seconds.
    """
    command.upgrade(alembic_config(dsn, timeout_s=timeout_s), "head")


def _config() -> Config:
    return Config(ROOT / "src" / "models" / "alembic.ini")
