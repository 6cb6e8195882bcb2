"""The authenticated caller of a request, and the rules of its role."""

from dataclasses import dataclass
from typing import Final

from core.errors import Forbidden
from models import Role, TicketStatus


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller. `id` names it in events, logs and rate limits. `email` is set for a requester.

    An agent works on every ticket. A requester reads and changes only the tickets of `email`, writes only under that
    address, and may not set the status `answered`.
    """

    id: str
    role: Role
    email: str | None = None

    @property
    def requester_email(self) -> str | None:
        """The address whose tickets this principal is restricted to; None for an agent, who sees every ticket."""
        return None if self.role == Role.AGENT else self.email or ""

    def ensure_may_set_status(self, status: TicketStatus) -> None:
        """Raise Forbidden unless this principal may set a status; the transition itself is not checked here."""
        if self.requester_email is not None and status is TicketStatus.ANSWERED:
            raise Forbidden("a requester may not set the status answered")


ANONYMOUS: Final = Principal("anonymous", Role.AGENT)
