"""The services of the sign-in, built together: they share their limits, their sessions and their turns."""

from dataclasses import dataclass

from core.settings import Settings
from db.postgres.database import Database
from services.access.api_key_cache import ApiKeyCache
from services.access.failed_authentications import FailedAuthentications
from services.access.issuer import Issuer
from services.sign_in.account import Account
from services.sign_in.attempts import SignInAttempts
from services.sign_in.links import SignInLinks
from services.sign_in.oidc_sign_in import OidcSignIn
from services.sign_in.passwords import Passwords
from services.sign_in.second_factors import SecondFactors
from services.sign_in.session_cache import SessionCache
from services.sign_in.sessions import Sessions
from services.sign_in.set_up import SetUp


@dataclass(frozen=True, slots=True)
class SignInServices:
    """The services; `oidc` is None unless people may sign in at the issuer."""

    sessions: Sessions
    session_cache: SessionCache
    passwords: Passwords
    set_up: SetUp
    links: SignInLinks
    account: Account
    oidc: OidcSignIn | None


def sign_in_services(
    database: Database,
    settings: Settings,
    *,
    keys: ApiKeyCache,
    issuer: Issuer | None,
    failures: FailedAuthentications,
) -> SignInServices:
    """Return the services. `failures` is the limit that API keys have too."""
    attempts = SignInAttempts(failures, settings.auth_failure_limit)
    second_factors = SecondFactors(database)
    passwords = Passwords(database, attempts, second_factors, is_on=settings.password_sign_in)
    sessions = Sessions(database)
    cache = SessionCache(sessions)
    return SignInServices(
        sessions,
        cache,
        passwords,
        SetUp(database, passwords, attempts, keys, settings.data_dir),
        SignInLinks(database),
        Account(database, passwords, second_factors, sessions, cache),
        _oidc(database, settings, issuer),
    )


def _oidc(database: Database, settings: Settings, issuer: Issuer | None) -> OidcSignIn | None:
    if issuer is None or settings.oidc_client_id is None:
        return None
    # Imported only if it is used: Authlib takes 2 MB of memory.
    from services.sign_in.oidc_client import OidcClient  # noqa: PLC0415

    secret = settings.oidc_client_secret
    client = OidcClient(issuer.name, settings.oidc_client_id, None if secret is None else secret.get_secret_value())
    return OidcSignIn(database, client, issuer.verifier(settings.oidc_client_id))
