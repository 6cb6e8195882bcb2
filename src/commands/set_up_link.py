"""The set-up link, which a start of the service prints until it was used.

A terminal gets the link, and a file that only the user of the service can read gets its token. No log has it.
"""

import asyncio
import logging
import sys
from typing import Final

from core.errors import Unavailable
from core.settings import Settings
from db.postgres.database import Database
from services.sign_in import set_up_file
from services.sign_in.set_up import open_set_up

_log = logging.getLogger(__name__)
PATH: Final = "/set-up#"


def url_of(base_url: str, token: str) -> str:
    """Return the link: the token is in the fragment, which browsers send to no server."""
    return f"{base_url}{PATH}{token}"


def line_for(settings: Settings, base_url: str) -> str | None:
    """Return the line that a start prints about the set-up; None when it is closed. A failure is logged."""
    if not settings.password_sign_in:
        return None
    try:
        stored = set_up_file.read(settings.data_dir)
        token = asyncio.run(_token(settings, stored))
        if token is None:
            set_up_file.remove(settings.data_dir)
            return None
        if token != stored:
            set_up_file.write(settings.data_dir, token)
    except OSError as error:
        # A service for programs alone needs no set-up.
        _log.info("cannot store the token of the set-up in %s: %s", settings.data_dir, error.strerror)
        return "Make it yours: pipenv run people set-up-link"
    except Unavailable as error:
        _log.warning("cannot open the set-up: %s", error)
        return None
    if sys.stdout.isatty():
        return f"Make it yours: {url_of(base_url, token)}"
    return f"Make it yours: {base_url}{PATH} and the token in {set_up_file.path_in(settings.data_dir)}"


async def _token(settings: Settings, stored: str | None) -> str | None:
    assert settings.database_dsn is not None  # noqa: S101 - configured, or set when the embedded servers started
    database = Database(settings.database_dsn.get_secret_value(), pool_size=1)
    try:
        return await open_set_up(database, stored)
    finally:
        await database.close()
