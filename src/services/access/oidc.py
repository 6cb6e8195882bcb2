"""Tokens of an OIDC issuer: JSON Web Tokens (RFC 7519), verified as RFC 8725 recommends."""

import re
from typing import Any, Final

import jwt
from jwt.exceptions import ExpiredSignatureError, PyJWTError

from core.errors import Forbidden, Unauthenticated
from models import Role
from schemas.fields import normal_email
from services.access.principal import Principal
from services.access.signing_keys import SigningKeys

# Asymmetric algorithms only: a shared secret that verifies tokens could also sign them.
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
# The allowed difference between the issuer's clock and ours.
LEEWAY_S: Final = 30
# The length limit of OpenID Connect Core (section 2).
_SUBJECT: Final = re.compile(r"[\x20-\x7e]{1,255}")


class TokenVerifier:
    """Verifies tokens and returns their principals.

    `role_claim` names the claim, a string or a list, that contains `agent` or `monitor`. Every other subject is a
    requester, by an address that the issuer has verified.
    """

    def __init__(self, keys: SigningKeys, *, issuer: str, audience: str, role_claim: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._role_claim = role_claim

    async def principal_of(self, token: str) -> Principal:
        """Return the principal of a token. Raises Unauthenticated, Forbidden, IssuerUnavailable."""
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                raise Unauthenticated("the token has no allowed signature algorithm", are_refused=True)
            key = await self._keys.find(header.get("kid"), header["alg"])
            if key is None:
                raise Unauthenticated("the token is signed with an unknown key", are_refused=True)
            claims = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "aud", "sub"], "enforce_minimum_key_length": True},
            )
        except ExpiredSignatureError as error:  # raised only after the signature was verified
            raise Unauthenticated("the token is expired", are_refused=True, is_guess=False) from error
        except (PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise Unauthenticated(f"the token is invalid: {type(error).__name__}", are_refused=True) from error
        return self._principal(claims)

    def _principal(self, claims: dict[str, Any]) -> Principal:
        subject = claims["sub"]
        if not _SUBJECT.fullmatch(subject):
            raise Unauthenticated("the token's subject is not 1 to 255 printable ASCII characters", are_refused=True)
        name = f"oidc:{subject}"
        roles = _words(claims.get(self._role_claim))
        for role in (Role.AGENT, Role.MONITOR):
            if role in roles:
                return Principal(name, role)
        email = claims.get("email")
        # Addresses are compared without case: one that is not normalized might then equal another person's address.
        if isinstance(email, str) and email and email == normal_email(email) and claims.get("email_verified") is True:
            return Principal(name, Role.REQUESTER, email)
        raise Forbidden("the token has neither a role nor a verified email address")


def _words(claim: object) -> set[str]:
    if isinstance(claim, str):
        return set(claim.split())
    return {word for word in claim if isinstance(word, str)} if isinstance(claim, list) else set()
