"""The verification of the tokens of the configured issuer."""

from typing import TYPE_CHECKING

from core.settings import Settings
from db.postgres.database import Database

if TYPE_CHECKING:
    from services.access.oidc import TokenVerifier


class Issuer:
    """The OIDC issuer that the settings name, with one memory of its keys and of the people of its tokens."""

    def __init__(self, name: str, role_claim: str, database: Database) -> None:
        # Imported only with an issuer: the cryptography of tokens takes 8 MB of memory.
        from services.access.signing_keys import SigningKeys  # noqa: PLC0415
        from services.access.token_people import TokenPeople  # noqa: PLC0415

        self.name = name
        self._role_claim = role_claim
        self._keys = SigningKeys(name)
        self._people = TokenPeople(database)

    def verifier(self, audience: str) -> "TokenVerifier":
        """Return what verifies the tokens for an audience."""
        from services.access.oidc import TokenVerifier  # noqa: PLC0415

        return TokenVerifier(self._keys, self._people, issuer=self.name, audience=audience, role_claim=self._role_claim)


def configured_issuer(settings: Settings, database: Database) -> Issuer | None:
    """Return the issuer of the settings; None without one."""
    if settings.oidc_issuer is None:
        return None
    return Issuer(settings.oidc_issuer, settings.oidc_role_claim, database)
