"""The command that manages API keys.

    pipenv run keys create --name crm --role agent
    pipenv run keys create --name alice --role requester --email alice@example.com --expires-in-days 90
    pipenv run keys create --name dashboard --role agent --scopes read,comment
    pipenv run keys list
    pipenv run keys revoke ID

A new key is printed once and stored only as a hash. A name may have two live keys, so that a key can be replaced
without an interruption: create the second key, configure the client with it, revoke the first key.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from alembic.util import CommandError
from pydantic import TypeAdapter, ValidationError

from core.errors import KeyNotCreated, ServiceError
from core.settings import Settings, describe_errors
from db.embedded import ServerDidNotStart, postgres_dsn
from db.postgres.database import Database, wait_until_reachable
from db.postgres.migrations import migrate
from models import Role, Scope
from models.principal import NAME_MAX_LENGTH
from schemas.fields import Email
from services.access.api_keys import ApiKeyRecord, ApiKeys

MAX_DAYS: Final = 36_500

_EMAIL: Final = TypeAdapter(Email)


def main() -> None:
    """Run the subcommand of the arguments. Exits with status 1 and one line of explanation if it fails."""
    arguments = _arguments()
    try:
        settings = Settings()
        with postgres_dsn(settings) as dsn:
            asyncio.run(wait_until_reachable(dsn, timeout_s=settings.startup_timeout))
            migrate(dsn)
            asyncio.run(_with_keys(dsn, lambda keys: arguments.run(keys, arguments)))
    except (KeyNotCreated, ServiceError, ServerDidNotStart, CommandError) as reason:
        sys.exit(f"keys: {reason}")
    except ValidationError as error:
        sys.exit(f"keys: {describe_errors(error)}")


def _arguments() -> argparse.Namespace:
    """Return the valid arguments. Exits with status 2 and a message that names the choices if they are invalid."""
    parser = argparse.ArgumentParser(prog="keys", description="Create, list and revoke API keys.")
    actions = parser.add_subparsers(dest="command")
    create = actions.add_parser("create", help="create a key and print it; it is shown only once")
    create.add_argument("--name", required=True, type=_name, help="the client; keys of one name are one principal")
    create.add_argument("--role", required=True, choices=[str(role) for role in Role], help="what the key may do")
    create.add_argument("--email", type=_email, help="the email address of a requester: required for --role requester")
    create.add_argument("--scopes", type=_scopes, help=f"what the key is restricted to, of: {', '.join(Scope)}")
    create.add_argument("--expires-in-days", type=_days, metavar="DAYS", help="1 to 36500; default: never")
    create.set_defaults(run=_create)
    actions.add_parser("list", help="list every key ever created, without its secret").set_defaults(run=_list)
    revoke = actions.add_parser("revoke", help="revoke a key; every worker refuses it within 10 s")
    revoke.add_argument("id", help="the id of the key: the part between tk_ and the next underscore")
    revoke.set_defaults(run=_revoke)
    arguments = parser.parse_args()
    if arguments.command is None:
        parser.error("a command is missing: create, list or revoke")
    if arguments.command == "create" and (arguments.role == Role.REQUESTER) != (arguments.email is not None):
        create.error("--role requester requires --email, and the other roles do not take it")
    return arguments


def _name(text: str) -> str:
    if not text.isprintable() or not 1 <= len(text.strip()) <= NAME_MAX_LENGTH:
        raise argparse.ArgumentTypeError(f"must have 1 to {NAME_MAX_LENGTH} printable characters")
    return text.strip()


def _scopes(text: str) -> frozenset[Scope]:
    try:
        return frozenset(Scope(name.strip()) for name in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a list, separated by commas, of: {', '.join(Scope)}") from None


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_DAYS:
        raise argparse.ArgumentTypeError(f"must be a number of days from 1 to {MAX_DAYS}")
    return int(text)


def _email(text: str) -> str:
    try:
        return _EMAIL.validate_python(text)
    except ValidationError:
        raise argparse.ArgumentTypeError("must be a valid email address") from None


async def _with_keys(dsn: str, use: Callable[[ApiKeys], Awaitable[None]]) -> None:
    database = Database(dsn, pool_size=1)
    try:
        await use(ApiKeys(database))
    finally:
        await database.close()


async def _create(keys: ApiKeys, arguments: argparse.Namespace) -> None:
    days = arguments.expires_in_days
    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
    role, scopes = Role(arguments.role), arguments.scopes
    key, record = await keys.create(arguments.name, role, arguments.email, expires_at, scopes=scopes)
    print(f"{_describe(record)}\nStore this key now; it is not shown again:", file=sys.stderr)
    print(key)


async def _list(keys: ApiKeys, _arguments: argparse.Namespace) -> None:
    for record in await keys.list():
        print(_describe(record))


async def _revoke(keys: ApiKeys, arguments: argparse.Namespace) -> None:
    record = await keys.revoke(arguments.id)
    if record is None:
        sys.exit(f"keys: there is no key with the id {arguments.id}")
    print(_describe(record))


def _describe(record: ApiKeyRecord) -> str:
    at_by_label = {
        "created": record.created_at,
        "expires": record.expires_at,
        "revoked": record.revoked_at,
        "last used": record.last_used_at,
    }
    times = [f"{label} {at:%Y-%m-%d %H:%M}Z" for label, at in at_by_label.items() if at is not None]
    owner = f"{record.role}{f' {record.email}' if record.email else ''}"
    if record.scopes is not None:
        owner += f", restricted to {' '.join(scope for scope in Scope if scope in record.scopes)}"
    return f"{record.id}  {record.name} ({owner}): {', '.join(times)}"
