"""Sign-in at the OIDC issuer: the state is a row, used once, and bound to the browser by a cookie."""

from dataclasses import dataclass
from datetime import timedelta
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

from core.errors import Forbidden, IssuerUnavailable, Unauthenticated
from core.sign_in_errors import Refusal, SignInRefused
from db.postgres.database import Database
from models import SignInMethod, SignInTokenPurpose
from services.sign_in import sessions, tokens
from services.sign_in.sessions import Browser

if TYPE_CHECKING:
    from services.access.oidc import TokenVerifier
    from services.sign_in.oidc_client import OidcClient

LASTS: Final = timedelta(minutes=10)
_PURPOSE: Final = SignInTokenPurpose.OIDC


@dataclass(frozen=True, slots=True)
class Departure:
    """The URL of the issuer to go to, and the state, which the browser keeps in a cookie meanwhile."""

    url: str
    state: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """The token of a new session, and the page that the person wanted."""

    token: str
    next_path: str


class OidcSignIn:
    """Signs people in by the authorization code flow. Every method raises DatabaseUnavailable and DeadlineExceeded.

    `verifier` verifies ID tokens, and finds or makes the person of the subject: see `services.access.token_people`.
    """

    def __init__(self, database: Database, client: "OidcClient", verifier: "TokenVerifier") -> None:
        self._database = database
        self._client = client
        self._verifier = verifier

    async def begin(self, redirect_uri: str, next_path: str) -> Departure:
        """Store a new state, and return the way to the issuer. Raises SignInRefused, OutcomeUnknown."""
        state, nonce, verifier = tokens.new_token(), tokens.new_token(), tokens.new_token()
        try:
            url = await self._client.authorization_url(redirect_uri, state=state, nonce=nonce, code_verifier=verifier)
        except IssuerUnavailable as error:
            raise SignInRefused(Refusal.ISSUER_UNAVAILABLE) from error
        details = {"nonce": nonce, "verifier": verifier, "redirect_uri": redirect_uri, "next": next_path}
        async with self._database.transaction() as connection:
            await tokens.store(connection, state, _PURPOSE, details=details, lasts=LASTS)
        return Departure(url, state)

    async def finish(
        self, state: str, code: str, browser: Browser, *, own_state: str | None, former_token: str | None
    ) -> Arrival:
        """Begin a session with the code that the issuer gave; `own_state` is that of the browser's cookie.

        Raises SignInRefused, OutcomeUnknown.
        """
        if own_state is None or not compare_digest(own_state.encode(), state.encode()):
            raise SignInRefused(Refusal.ISSUER_REFUSED)
        async with self._database.transaction() as connection:
            used = await tokens.use(connection, state, _PURPOSE)
        if used is None or not code:
            raise SignInRefused(Refusal.ISSUER_REFUSED)
        begun = tokens.details_of(used)
        try:
            id_token = await self._client.id_token(begun["redirect_uri"], code=code, code_verifier=begun["verifier"])
            claims = await self._verifier.claims_of(id_token)
            self._ensure_ours(claims, begun["nonce"])
        except IssuerUnavailable as error:
            raise SignInRefused(Refusal.ISSUER_UNAVAILABLE) from error
        except Unauthenticated as error:
            raise SignInRefused(Refusal.ISSUER_REFUSED) from error
        try:
            principal = await self._verifier.principal_named_by(claims)
        except (Forbidden, Unauthenticated) as error:
            raise SignInRefused(Refusal.NO_ACCOUNT) from error
        async with self._database.transaction() as connection:
            token = await sessions.begin(
                connection,
                principal.id,
                SignInMethod.OIDC,
                browser,
                former_token=former_token,
                verified_email=principal.email,
            )
        return Arrival(token, begun["next"])

    def _ensure_ours(self, claims: dict[str, object], nonce: str) -> None:
        """Raise SignInRefused unless the token was issued to this client, for this sign-in."""
        is_fresh = isinstance(claims.get("nonce"), str) and compare_digest(
            str(claims["nonce"]).encode(), nonce.encode()
        )
        authorized = claims.get("azp", self._client.client_id)
        if not is_fresh or authorized != self._client.client_id:
            raise SignInRefused(Refusal.ISSUER_REFUSED)
