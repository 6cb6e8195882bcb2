"""Bringing a database to the schema this release needs, and knowing whether it has it."""

from dataclasses import dataclass

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from core.settings import ROOT


@dataclass(frozen=True)
class Revisions:
    """The revisions this release knows: `head` is the one it needs, `earlier` those that do not suffice."""

    head: str
    earlier: frozenset[str]

    def suffice(self, revision: str | None) -> bool:
        """Return whether a database at `revision` has what this release needs.

        One that this release does not know was made by a newer one. Migrations only add, and what a release no longer
        uses is removed a release later, so that this one can go on working on it.
        """
        return revision is not None and revision not in self.earlier


def known_revisions() -> Revisions:
    """Return the revisions of this release, from its files."""
    scripts = ScriptDirectory.from_config(_config())
    every = [script.revision for script in scripts.walk_revisions()]
    head = scripts.get_current_head()
    if head is None:
        raise LookupError("there are no migrations")
    return Revisions(head, frozenset(every) - {head})


def alembic_config(dsn: str, *, timeout_s: float = 60) -> Config:
    """Return Alembic's configuration for one database, `postgresql+asyncpg://…`.

    `timeout_s` is how long a migration goes on trying for what others hold.
    """
    config = _config()
    config.attributes |= {"dsn": dsn, "timeout_s": timeout_s}
    return config


def migrate(dsn: str, *, timeout_s: float = 60) -> None:
    """Apply what is missing. Several processes may call this at once: one works, the others wait.

    A lock that could not be had is waited for in short turns, for `timeout_s` seconds in all.
    """
    command.upgrade(alembic_config(dsn, timeout_s=timeout_s), "head")


def _config() -> Config:
    return Config(ROOT / "src" / "models" / "alembic.ini")
