"""The authenticated caller of a request, and the rules of its role and of its scopes."""

from dataclasses import dataclass
from typing import Final

from core.errors import Forbidden, InsufficientScope
from models import Audience, Role, Scope, TicketStatus


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller. `id` names it in events, logs and rate limits. `email` is set for a requester.

    An agent works on every ticket; an admin does too, and manages people, groups and keys. A requester reads and
    changes only the tickets of `email`, writes only under that address, and may not set the status `answered`.

    `scopes` restricts an API key further; None permits everything that the role permits.
    """

    id: str
    role: Role
    email: str | None = None
    scopes: frozenset[Scope] | None = None
    name: str = ""

    @property
    def is_admin(self) -> bool:
        """Whether this principal has the role `admin`."""
        return self.role is Role.ADMIN

    @property
    def requester_email(self) -> str | None:
        """The address whose tickets this principal is restricted to; None for one who sees every ticket."""
        return None if self.role is Role.AGENT or self.role is Role.ADMIN else self.email or ""

    @property
    def audience(self) -> Audience:
        """What this principal may see of a ticket that it sees."""
        return Audience.INTERNAL if self.requester_email is None else Audience.PUBLIC

    def require(self, scope: Scope) -> None:
        """Raise InsufficientScope unless the scopes of this principal include `scope`; `write` includes `comment`."""
        if self.scopes is None or scope in self.scopes:
            return
        if scope is not Scope.COMMENT or Scope.WRITE not in self.scopes:
            raise InsufficientScope(scope)

    def require_staff(self) -> None:
        """Raise Forbidden unless this principal is an agent or an admin."""
        if self.requester_email is not None:
            raise Forbidden("only agents and admins may do this")

    def require_admin(self) -> None:
        """Raise Forbidden unless this principal is an admin, and InsufficientScope without the scope `admin`."""
        if not self.is_admin:
            raise Forbidden("only admins may do this")
        self.require(Scope.ADMIN)

    def ensure_may_set_status(self, status: TicketStatus) -> None:
        """Raise Forbidden unless this principal may set a status; the transition itself is not checked here."""
        if self.requester_email is not None and status is TicketStatus.ANSWERED:
            raise Forbidden("a requester may not set the status answered")


ANONYMOUS: Final = Principal("anonymous", Role.AGENT, name="Anonymous")
"""A request without credentials, where the service accepts these."""
LOCAL_ADMIN: Final = Principal(ANONYMOUS.id, Role.ADMIN, name=ANONYMOUS.name)
"""A request without credentials from this machine, while there are neither keys nor an issuer."""
