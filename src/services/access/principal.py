"""Who asks, and what that lets them do."""

from dataclasses import dataclass
from typing import Final

from core.errors import Forbidden
from models import Role, TicketStatus


@dataclass(frozen=True, slots=True)
class Principal:
    """Someone who was let in. `id` names them in events, logs and limits; `email` is what a requester is bound to.

    An agent works on every ticket. A requester sees and touches only the tickets of `email`, in their own name, and
    does not say that a ticket is answered.
    """

    id: str
    role: Role
    email: str | None = None

    @property
    def requester(self) -> str | None:
        """The address whose tickets are all there is for this principal; None for an agent, who sees all."""
        return None if self.role == Role.AGENT else self.email or ""

    def write_as(self, email: str) -> None:
        """Raise Forbidden unless this principal may write in the name of an address."""
        if self.requester is not None and self.requester.lower() != email.lower():
            raise Forbidden("a requester writes in their own name")

    def set_status(self, status: TicketStatus) -> None:
        """Raise Forbidden unless this principal may ask for a status, be it a legal transition or not."""
        if self.requester is not None and status is TicketStatus.ANSWERED:
            raise Forbidden("a requester does not say that a ticket is answered")


ANONYMOUS: Final = Principal("anonymous", Role.AGENT)
