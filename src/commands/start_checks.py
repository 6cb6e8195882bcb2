"""Checks before the start: valid settings, a free port, a migrated database, and protection."""

import asyncio
import logging
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from core.client_address import is_loopback
from core.errors import DatabaseUnavailable, Unavailable
from core.settings import Settings, describe_errors
from db.postgres.database import Database, wait_until_reachable
from db.postgres.revisions import known_revisions, revision_of
from services.access.api_keys import ApiKeys
from services.events.epochs import begin_epoch_if_restored

_SOURCE: Final = Path(__file__).parents[1]

_log = logging.getLogger(__name__)


class CannotServe(Exception):
    """The service cannot run; the message is one line for the terminal, with the reason and the remedy."""


def load_settings() -> Settings:
    """Return the settings of the environment and of `.env`. Raises CannotServe."""
    try:
        return Settings()
    except ValidationError as error:
        raise CannotServe(describe_errors(error)) from None


def ensure_port_is_free(settings: Settings) -> None:
    """Raise CannotServe unless the service can listen on HOST and PORT."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CannotServe(f"cannot listen on {settings.host}:{settings.port} ({reason}); set HOST and PORT") from None


def migrate_database(settings: Settings) -> None:
    """Wait until PostgreSQL is reachable, and apply the missing migrations. Raises CannotServe."""
    try:
        revision = asyncio.run(_revision_when_reachable(_dsn(settings), timeout_s=settings.startup_timeout))
    except DatabaseUnavailable as error:
        raise CannotServe(f"cannot use the database of DATABASE_DSN: {error}") from None
    if revision != known_revisions().head:
        _apply_migrations()


def adopt_restored_log(settings: Settings) -> None:
    """Begin a new epoch of the event log if the database was restored from a dump. Raises CannotServe."""
    try:
        if asyncio.run(_begin_epoch_if_restored(_dsn(settings))):
            _log.warning("the database was restored from a dump: the event log has a new epoch")
    except Unavailable as error:
        raise CannotServe(f"cannot adopt the event log of the restored database: {error}") from None


async def _begin_epoch_if_restored(dsn: str) -> bool:
    database = Database(dsn, pool_size=1)
    try:
        return await begin_epoch_if_restored(database) is not None
    finally:
        await database.close()


def _apply_migrations() -> None:
    # In a process of its own, because Alembic would stay in the memory of this one.
    command = [sys.executable, "-m", "commands.migrate"]
    migrated = subprocess.run(command, cwd=_SOURCE, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - fixed
    if migrated.returncode:
        reason = migrated.stdout.strip() or f"the migration ended with status {migrated.returncode}"
        raise CannotServe(f"cannot migrate the database of DATABASE_DSN: {reason}")


async def _revision_when_reachable(dsn: str, *, timeout_s: float) -> str | None:
    await wait_until_reachable(dsn, timeout_s=timeout_s)
    database = Database(dsn, pool_size=1)
    try:
        async with database.control() as connection:
            return await revision_of(connection)
    finally:
        await database.close()


def warn_if_unprotected(settings: Settings) -> None:
    """Log that other machines get the set-up page only, while nothing protects a service on the network."""
    if settings.allow_anonymous or settings.oidc_issuer is not None or is_loopback(settings.host):
        return
    if not asyncio.run(_are_credentials_required(settings)):
        _log.warning(
            "HOST=%s, and neither an admin nor an API key exists: other machines get the set-up page only",
            settings.host,
        )


async def _are_credentials_required(settings: Settings) -> bool:
    database = Database(_dsn(settings), pool_size=1)
    try:
        return await ApiKeys(database).are_required()
    finally:
        await database.close()


def _dsn(settings: Settings) -> str:
    assert settings.database_dsn is not None  # noqa: S101 - configured, or set when the embedded servers started
    return settings.database_dsn.get_secret_value()
