"""Tokens of an OIDC issuer: JSON Web Tokens (RFC 7519), verified as RFC 8725 recommends."""

import re
from typing import Any, Final

import jwt
from jwt.exceptions import ExpiredSignatureError, PyJWTError

from core.errors import Unauthenticated
from models import Role
from models.principal import NAME_MAX_LENGTH
from schemas.fields import normal_email
from services.access.principal import Principal
from services.access.signing_keys import SigningKeys
from services.access.token_people import TokenIdentity, TokenPeople

# Asymmetric algorithms only: a shared secret that verifies tokens could also sign them.
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
# The allowed difference between the issuer's clock and ours.
LEEWAY_S: Final = 30
# The roles that a token may name. The first of these that it names counts.
_ROLES: Final = (Role.ADMIN, Role.AGENT, Role.MONITOR)
# The length limit of OpenID Connect Core (section 2).
_SUBJECT: Final = re.compile(r"[\x20-\x7e]{1,255}")


class TokenVerifier:
    """Verifies tokens and returns their principals.

    `role_claim` names the claim, a string or a list, that contains `admin`, `agent` or `monitor`. `people` finds the
    person of a subject, and decides what a token without a role may do.
    """

    def __init__(self, keys: SigningKeys, people: TokenPeople, *, issuer: str, audience: str, role_claim: str) -> None:
        self._keys = keys
        self._people = people
        self._issuer = issuer
        self._audience = audience
        self._role_claim = role_claim

    async def principal_of(self, token: str) -> Principal:
        """Return the principal of a token. Raises Unauthenticated, Forbidden, Unavailable."""
        return await self.principal_named_by(await self.claims_of(token))

    async def principal_named_by(self, claims: dict[str, Any]) -> Principal:
        """Return the principal that verified claims name. Raises Unauthenticated, Forbidden, Unavailable."""
        return await self._people.principal_of(self._identity(claims))

    async def claims_of(self, token: str) -> dict[str, Any]:
        """Return the claims of a token, verified. Raises Unauthenticated, Unavailable."""
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                raise Unauthenticated("the token has no allowed signature algorithm", are_refused=True)
            key = await self._keys.find(header.get("kid"), header["alg"])
            if key is None:
                raise Unauthenticated("the token is signed with an unknown key", are_refused=True)
            claims: dict[str, Any] = jwt.decode(
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
        return claims

    def _identity(self, claims: dict[str, Any]) -> TokenIdentity:
        subject = claims["sub"]
        if not _SUBJECT.fullmatch(subject):
            raise Unauthenticated("the token's subject is not 1 to 255 printable ASCII characters", are_refused=True)
        named = _words(claims.get(self._role_claim))
        role = next((role for role in _ROLES if role in named), None)
        email = claims.get("email")
        # Addresses are compared without case: one that is not normalized might then equal another person's address.
        is_verified = isinstance(email, str) and email and email == normal_email(email)
        verified = email if is_verified and claims.get("email_verified") is True else None
        return TokenIdentity(subject, role, verified, _name(claims.get("name"), verified, subject))


def _words(claim: object) -> set[str]:
    if isinstance(claim, str):
        return set(claim.split())
    return {word for word in claim if isinstance(word, str)} if isinstance(claim, list) else set()


def _name(claim: object, email: str | None, subject: str) -> str:
    """Return the name of a new person: that of the token, or else its verified address or its subject."""
    name = claim.strip() if isinstance(claim, str) and claim.isprintable() else ""
    return (name or email or subject)[:NAME_MAX_LENGTH].strip() or "?"
