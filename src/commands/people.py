"""The command for the sign-in of people.

    pipenv run people sign-in-link alice@example.com
    pipenv run people set-password alice@example.com
    pipenv run people sessions
    pipenv run people revoke 17
    pipenv run people set-up-link

A sign-in link works once, within 15 minutes, also if every other way to sign in fails. `set-password` asks for the
password, or reads it from the standard input, and ends the sessions of the person.
"""

import argparse
import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from alembic.util import CommandError
from pydantic import ValidationError

from commands import set_up_link, uvicorn_process
from core.errors import PrincipalNotFound, ServiceError
from core.settings import Settings, describe_errors
from core.sign_in_errors import Refusal, SignInRefused
from db.embedded import ServerDidNotStart, postgres_dsn
from db.postgres.database import Database, wait_until_reachable
from db.postgres.migrations import migrate
from services.access.failed_authentications import FailedAuthentications
from services.sign_in.attempts import SignInAttempts
from services.sign_in.links import SignInLinks
from services.sign_in.passwords import Passwords
from services.sign_in.second_factors import SecondFactors
from services.sign_in.sessions import ListedSession, Sessions
from services.sign_in.set_up import open_set_up

_REASONS: Final = {
    Refusal.SHORT_PASSWORD: "the password must have 12 to 256 characters",
    Refusal.PASSWORD_IS_NAME: "the password must not be the name or the email address of the person",
    Refusal.PASSWORDS_DIFFER: "the passwords are not the same",
}


def main() -> None:
    """Run the subcommand of the arguments. Exits with status 1 and one line of explanation if it fails."""
    arguments = _arguments()
    try:
        settings = Settings()
        with postgres_dsn(settings) as dsn:
            asyncio.run(wait_until_reachable(dsn, timeout_s=settings.startup_timeout))
            migrate(dsn)
            asyncio.run(_with_database(dsn, lambda database: arguments.run(database, settings, arguments)))
    except PrincipalNotFound as unknown:
        sys.exit(f"people: no active person has the email address {unknown}")
    except SignInRefused as refused:
        sys.exit(f"people: {_REASONS[refused.reason]}")
    except (ServiceError, ServerDidNotStart, CommandError, OSError) as reason:
        sys.exit(f"people: {reason}")
    except ValidationError as error:
        sys.exit(f"people: {describe_errors(error)}")


def _arguments() -> argparse.Namespace:
    """Return the valid arguments. Exits with status 2 and a message that names the choices if they are invalid."""
    parser = argparse.ArgumentParser(prog="people", description="Let people sign in, and end their sessions.")
    actions = parser.add_subparsers(dest="command")
    link = actions.add_parser("sign-in-link", help="print a link that signs a person in, once, within 15 minutes")
    link.add_argument("email", help="the email address of the person")
    link.set_defaults(run=_sign_in_link)
    password = actions.add_parser("set-password", help="set the password of a person, and end their sessions")
    password.add_argument("email", help="the email address of the person")
    password.set_defaults(run=_set_password)
    listed = actions.add_parser("sessions", help="list the sessions of all people, or those of one")
    listed.add_argument("email", nargs="?", help="the email address of a person")
    listed.set_defaults(run=_sessions)
    revoke = actions.add_parser("revoke", help="end a session; every worker refuses it within 10 s")
    revoke.add_argument("id", type=int, help="the number of the session")
    revoke.set_defaults(run=_revoke)
    actions.add_parser("set-up-link", help="print the link that makes the first admin").set_defaults(run=_set_up_link)
    arguments = parser.parse_args()
    if arguments.command is None:
        parser.error(f"a command is missing: {', '.join(actions.choices)}")
    return arguments


async def _with_database(dsn: str, use: Callable[[Database], Awaitable[None]]) -> None:
    database = Database(dsn, pool_size=1)
    try:
        await use(database)
    finally:
        await database.close()


async def _sign_in_link(database: Database, settings: Settings, arguments: argparse.Namespace) -> None:
    token = await SignInLinks(database).for_person(arguments.email)
    print("It works once, within 15 minutes:", file=sys.stderr)
    print(f"{_base_url(settings)}/sign-in/link?token={token}")


async def _set_password(database: Database, settings: Settings, arguments: argparse.Namespace) -> None:
    person_id = await SignInLinks(database).person_id_of(arguments.email)
    attempts = SignInAttempts(FailedAuthentications(settings.auth_failure_limit), settings.auth_failure_limit)
    name = await Passwords(database, attempts, SecondFactors(database)).set(person_id, _new_password())
    print(f"{name} has a new password, and no session.", file=sys.stderr)


async def _sessions(database: Database, _settings: Settings, arguments: argparse.Namespace) -> None:
    if arguments.email is None:
        found = await Sessions(database).all()
    else:
        person_id = await SignInLinks(database).person_id_of(arguments.email)
        found = await Sessions(database).of_person(person_id)
    for session in found:
        print(_described(session))


async def _revoke(database: Database, _settings: Settings, arguments: argparse.Namespace) -> None:
    if await Sessions(database).end(arguments.id) is None:
        sys.exit(f"people: there is no session with the number {arguments.id}")
    print(f"Session {arguments.id} has ended.", file=sys.stderr)


async def _set_up_link(database: Database, settings: Settings, _arguments: argparse.Namespace) -> None:
    token = await open_set_up(database, None)
    if token is None:
        sys.exit("people: the service is set up already; see sign-in-link")
    print(set_up_link.url_of(_base_url(settings), token))


def _base_url(settings: Settings) -> str:
    return settings.public_url or uvicorn_process.url(settings)


def _new_password() -> str:
    """Return the password that is typed twice on a terminal, or the first line of another standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("New password: ")
    if getpass.getpass("Again: ") != password:
        raise SignInRefused(Refusal.PASSWORDS_DIFFER)
    return password


def _described(session: ListedSession) -> str:
    def time(at: datetime) -> str:
        return f"{at:%Y-%m-%d %H:%M}Z"

    person = f"{session.name} {session.email or session.person_id}"
    times = f"created {time(session.created_at)}, seen {time(session.seen_at)}, ends {time(session.expires_at)}"
    return f"{session.id}  {person} by {session.method}: {times}, from {session.address} ({session.user_agent})"
