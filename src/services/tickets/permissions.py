"""What requesters and participants may do with a ticket that they see; agents may do everything."""

from core.errors import Forbidden
from models import Scope
from services.access.principal import Principal
from services.tickets.edited_ticket import EditedTicket


def ensure_is_agent(principal: Principal) -> None:
    """Raise Forbidden unless the principal is an agent or an admin."""
    if principal.requester_email is not None:
        raise Forbidden("only agents may do this")


def ensure_may_work(principal: Principal) -> None:
    """Raise InsufficientScope or Forbidden unless the principal is an agent or an admin who may write."""
    principal.require(Scope.WRITE)
    ensure_is_agent(principal)


def ensure_may_edit(ticket: EditedTicket, principal: Principal) -> None:
    """Raise Forbidden unless the principal is an agent or the ticket's requester.

    A participant sees the ticket too, and only comments. Addresses are compared by PostgreSQL: the statement that
    reads a ticket for a requester says whether it is theirs.
    """
    if principal.requester_email is not None and not ticket["is_own"]:
        raise Forbidden("a participant comments only")
