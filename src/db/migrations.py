"""Bringing a database to the schema this release needs."""

from alembic import command
from alembic.config import Config

from core.settings import ROOT


def alembic_config(dsn: str) -> Config:
    """Return Alembic's configuration for one database, `postgresql+asyncpg://…`."""
    config = Config(ROOT / "src" / "models" / "alembic.ini")
    config.attributes["dsn"] = dsn
    return config


def migrate(dsn: str) -> None:
    """Apply what is missing. Several processes may call this at once: one works, the others wait."""
    command.upgrade(alembic_config(dsn), "head")
