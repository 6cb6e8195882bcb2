"""API keys at the command line.

    pipenv run keys create --name crm --role agent
    pipenv run keys create --name alice --role requester --email alice@example.com --expires-in-days 90
    pipenv run keys list
    pipenv run keys revoke ID

A new key is printed once and kept nowhere. Two keys of one name may live at once, to replace one without a gap: make
the second, give it to the program, revoke the first.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from alembic.util import CommandError
from pydantic import TypeAdapter, ValidationError

from core.errors import ServiceError
from core.settings import Settings, describe_errors
from db.embedded import ServerDidNotStart, postgres_dsn
from db.postgres.database import Database, wait_until_reachable
from db.postgres.migrations import migrate
from models import Role
from models.api_key import NAME_MAX_LENGTH
from schemas.fields import Email
from services.access.api_keys import ApiKeyRecord, ApiKeys, KeyRefused

MAX_DAYS: Final = 36_500

_EMAIL: Final = TypeAdapter(Email)


def main() -> None:
    """Do what the arguments say. Exits with status 1 and one clear line when that is not possible."""
    wanted = _parser().parse_args()
    try:
        settings = Settings()
        with postgres_dsn(settings) as dsn:
            asyncio.run(wait_until_reachable(dsn, timeout_s=settings.startup_timeout))
            migrate(dsn)
            asyncio.run(_with_keys(dsn, lambda keys: wanted.do(keys, wanted)))
    except (KeyRefused, ServiceError, ServerDidNotStart, CommandError) as reason:
        sys.exit(f"keys: {reason}")
    except ValidationError as error:
        sys.exit(f"keys: {describe_errors(error)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="keys", description="Make, list and revoke API keys.")
    actions = parser.add_subparsers(required=True)
    create = actions.add_parser("create", help="make a key and print it, once")
    create.add_argument("--name", required=True, type=_name, help="who it is for; keys of one name are one principal")
    create.add_argument("--role", required=True, type=Role, choices=list(Role))
    create.add_argument("--email", type=_email, help="the address a requester is bound to")
    create.add_argument("--expires-in-days", type=_days, metavar="DAYS", help="1 to 36,500; never, if left out")
    create.set_defaults(do=_create)
    actions.add_parser("list", help="list every key that was ever made").set_defaults(do=_list)
    revoke = actions.add_parser("revoke", help="let a key let nobody in any more, within 10 s")
    revoke.add_argument("id", help="the first part of the key after tk_")
    revoke.set_defaults(do=_revoke)
    return parser


def _name(text: str) -> str:
    if not text.isprintable() or not 1 <= len(text.strip()) <= NAME_MAX_LENGTH:
        raise argparse.ArgumentTypeError(f"must have 1 to {NAME_MAX_LENGTH} printable characters")
    return text.strip()


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_DAYS:
        raise argparse.ArgumentTypeError(f"must be a number of days from 1 to {MAX_DAYS}")
    return int(text)


def _email(text: str) -> str:
    try:
        return _EMAIL.validate_python(text)
    except ValidationError:
        raise argparse.ArgumentTypeError("must be a valid email address") from None


async def _with_keys(dsn: str, do: Callable[[ApiKeys], Awaitable[None]]) -> None:
    database = Database(dsn, pool_size=1)
    try:
        await do(ApiKeys(database))
    finally:
        await database.close()


async def _create(keys: ApiKeys, wanted: argparse.Namespace) -> None:
    if (wanted.role is Role.REQUESTER) != (wanted.email is not None):
        sys.exit("keys: --email belongs to --role requester, and only to it")
    days = wanted.expires_in_days
    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
    key, record = await keys.create(wanted.name, wanted.role, wanted.email, expires_at)
    print(f"{_described(record)}\nThis is shown once; it is stored nowhere:", file=sys.stderr)
    print(key)


async def _list(keys: ApiKeys, _wanted: argparse.Namespace) -> None:
    for record in await keys.list():
        print(_described(record))


async def _revoke(keys: ApiKeys, wanted: argparse.Namespace) -> None:
    record = await keys.revoke(wanted.id)
    if record is None:
        sys.exit(f"keys: there is no key {wanted.id}")
    print(_described(record))


def _described(record: ApiKeyRecord) -> str:
    moments = {
        "made": record.created_at,
        "expires": record.expires_at,
        "revoked": record.revoked_at,
        "last used": record.last_used_at,
    }
    told = [f"{name} {moment:%Y-%m-%d %H:%M}Z" for name, moment in moments.items() if moment is not None]
    whose = f"{record.role}{f' {record.email}' if record.email else ''}"
    return f"{record.id}  {record.name} ({whose}): {', '.join(told)}"
