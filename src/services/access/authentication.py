"""Who is let in: by an API key, by a token of the issuer, or anybody where nothing is configured."""

from typing import Final

from core.errors import Unauthenticated
from services.access.api_key_cache import ApiKeyCache
from services.access.oidc import TokenVerifier
from services.access.principal import ANONYMOUS, Principal

_KEY_PREFIX: Final = "tk_"


class Authenticator:
    """Tells who sent a request by what is in its Authorization header.

    `tokens` verifies those of an OIDC issuer, if one is configured. With `allow_anonymous`, who brings no credentials
    is let in as an agent; so it is while there are neither keys nor an issuer.
    """

    def __init__(self, keys: ApiKeyCache, tokens: TokenVerifier | None, *, allow_anonymous: bool) -> None:
        self._keys = keys
        self._tokens = tokens
        self._allow_anonymous = allow_anonymous

    async def principal_of(self, authorization: str | None) -> Principal:
        """Return who sends this header. Raises Unauthenticated, DatabaseUnavailable, IssuerUnavailable, Forbidden."""
        if authorization is None:
            if self._allow_anonymous or await self.is_unprotected():
                return ANONYMOUS
            raise Unauthenticated("no credentials came", are_refused=False)
        scheme, _, credentials = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("the scheme is not Bearer", are_refused=True)
        if self._tokens is None or credentials.startswith(_KEY_PREFIX):
            return await self._keys.principal_of(credentials.strip())
        return await self._tokens.principal_of(credentials.strip())

    def knows(self, authorization: str | None) -> bool:
        """Return whether a header brings a key that let somebody in lately: it costs nothing to hear it again."""
        return authorization is not None and self._keys.knows(authorization.partition(" ")[2].strip())

    async def is_unprotected(self) -> bool:
        """Return whether nothing is configured by which one could be let in. Raises DatabaseUnavailable."""
        return not self._allow_anonymous and self._tokens is None and not await self._keys.exist()
