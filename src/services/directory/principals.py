"""The principals that events, history and logs name, and the caller itself."""

from core.errors import PrincipalNotFound
from db.postgres.database import Database
from models import Scope
from schemas.groups import GroupName
from schemas.principals import Me, PrincipalDetails
from services.access.principal import Principal
from services.directory import statements as sql

_FORMER_PREFIX = "oidc:"


class Principals:
    """Resolves ids of principals. Every method raises DatabaseUnavailable and DeadlineExceeded."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def me(self, principal: Principal) -> Me:
        """Return the caller with its role, its scopes and its active groups; requires no scope."""
        async with self._database.reading() as connection:
            row = await connection.one(sql.FIND_PRINCIPAL, id=principal.id, subject=None)
            groups = await connection.rows(sql.GROUPS_OF, id=principal.id)
        scopes = None if principal.scopes is None else [scope for scope in Scope if scope in principal.scopes]
        return Me(
            id=principal.id,
            kind=row.kind,
            name=row.name,
            email=principal.email or row.email,
            role=principal.role,
            scopes=scopes,
            zone=row.zone,
            language=row.language,
            groups=[GroupName.model_validate(dict(group)) for group in groups],
        )

    async def find(self, principal_id: str, principal: Principal) -> PrincipalDetails:
        """Return the principal with an id, also by `oidc:` and the subject of a person, as earlier releases name it.

        A requester gets names alone, and only those of principals that wrote publicly on a ticket that they see.
        Raises InsufficientScope, PrincipalNotFound.
        """
        principal.require(Scope.READ)
        subject = principal_id.removeprefix(_FORMER_PREFIX) if principal_id.startswith(_FORMER_PREFIX) else None
        named = {"id": principal_id, "subject": subject}
        requester = principal.requester_email
        async with self._database.reading() as connection:
            row = (
                await connection.one_or_none(sql.FIND_PRINCIPAL, **named)
                if requester is None
                else await connection.one_or_none(sql.FIND_WRITER, requester=requester, **named)
            )
        if row is None:
            raise PrincipalNotFound(principal_id)
        if requester is not None:
            return PrincipalDetails(id=row.id, kind=row.kind, name=row.name)
        return PrincipalDetails(
            id=row.id, kind=row.kind, name=row.name, email=row.email, role=row.role, active=row.active
        )
