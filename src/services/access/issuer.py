"""The verification of the tokens of the configured issuer."""

from core.settings import Settings
from db.postgres.database import Database
from services.access.authentication import TokenVerification


def token_verifier(settings: Settings, database: Database) -> TokenVerification | None:
    """Return what verifies the tokens of the issuer that the settings name; None without an issuer."""
    if settings.oidc_issuer is None or settings.oidc_audience is None:
        return None
    # Imported only with an issuer: the cryptography of tokens takes 8 MB of memory.
    from services.access.oidc import TokenVerifier  # noqa: PLC0415
    from services.access.signing_keys import SigningKeys  # noqa: PLC0415
    from services.access.token_people import TokenPeople  # noqa: PLC0415

    return TokenVerifier(
        SigningKeys(settings.oidc_issuer),
        TokenPeople(database),
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        role_claim=settings.oidc_role_claim,
    )
