"""Authentication by API key or by OIDC token."""

from typing import Final, Protocol

from core.errors import Unauthenticated
from services.access.api_key_cache import ApiKeyCache
from services.access.principal import ANONYMOUS, LOCAL_ADMIN, Principal

_KEY_PREFIX: Final = "tk_"


class TokenVerification(Protocol):
    """What the authenticator requires of a verifier of tokens: see `services.access.oidc`."""

    async def principal_of(self, token: str) -> Principal:
        """Return the principal of a token. Raises Unauthenticated, Forbidden, Unavailable."""
        ...


class Authenticator:
    """Returns the principal that an Authorization header authenticates.

    `tokens` verifies the tokens of an OIDC issuer, if one is configured. A request without credentials is accepted as
    the anonymous agent with `allow_anonymous`, and as an admin while the service is unprotected: the middleware accepts
    it from this machine only.
    """

    def __init__(self, keys: ApiKeyCache, tokens: TokenVerification | None, *, allow_anonymous: bool) -> None:
        self._keys = keys
        self._tokens = tokens
        self._allow_anonymous = allow_anonymous

    async def principal_of(self, authorization: str | None) -> Principal:
        """Return the principal of a header. Raises Unauthenticated, Forbidden, Unavailable."""
        if authorization is None:
            if self._allow_anonymous:
                return ANONYMOUS
            if await self.is_unprotected():
                return LOCAL_ADMIN
            raise Unauthenticated("the request has no Authorization header", are_refused=False)
        scheme, _, credentials = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("the authentication scheme is not Bearer", are_refused=True)
        if self._tokens is None or credentials.startswith(_KEY_PREFIX):
            return await self._keys.principal_of(credentials.strip())
        return await self._tokens.principal_of(credentials.strip())

    def recently_accepted(self, authorization: str | None) -> bool:
        """Return whether a header carries a recently verified API key; makes no query."""
        return authorization is not None and self._keys.is_verified(authorization.partition(" ")[2].strip())

    async def is_unprotected(self) -> bool:
        """Return whether nothing protects the service: no key, no admin with a password, no issuer.

        With `allow_anonymous` it is not meant to be protected. Raises DatabaseUnavailable.
        """
        return not self._allow_anonymous and self._tokens is None and not await self._keys.are_required()
