"""Migrates a database to the schema of this release, with Alembic."""

from alembic import command
from alembic.config import Config

from core.settings import ROOT


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
