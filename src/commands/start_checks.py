"""Checks before the start: valid settings, a free port, a migrated database, and protection."""

import asyncio
import socket

from alembic.util import CommandError
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from core.client_address import is_loopback
from core.errors import DatabaseUnavailable
from core.settings import Settings, describe_errors
from db.postgres.database import Database, wait_until_reachable
from db.postgres.migrations import migrate
from services.access.api_keys import ApiKeys


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
    dsn = _dsn(settings)
    try:
        asyncio.run(wait_until_reachable(dsn, timeout_s=settings.startup_timeout))
        migrate(dsn, timeout_s=settings.migration_timeout)
    except DatabaseUnavailable as error:
        raise CannotServe(f"cannot use the database of DATABASE_DSN: {error}") from None
    except (CommandError, DBAPIError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        raise CannotServe(f"cannot migrate the database of DATABASE_DSN: {reason}") from None


def ensure_protected(settings: Settings) -> None:
    """Raise CannotServe if the service would accept unauthenticated requests from the network unintentionally."""
    if settings.allow_anonymous or settings.oidc_issuer is not None or is_loopback(settings.host):
        return
    if not asyncio.run(_keys_exist(settings)):
        raise CannotServe(
            f"HOST={settings.host} would give everyone on the network full access: create an API key "
            "(pipenv run keys create), or set OIDC_ISSUER and OIDC_AUDIENCE, or set ALLOW_ANONYMOUS=true"
        )


async def _keys_exist(settings: Settings) -> bool:
    database = Database(_dsn(settings), pool_size=1)
    try:
        return await ApiKeys(database).any_exist()
    finally:
        await database.close()


def _dsn(settings: Settings) -> str:
    assert settings.database_dsn is not None  # noqa: S101 - configured, or set when the embedded servers started
    return settings.database_dsn.get_secret_value()
